// A handler host. It turns the server's messages about sockets into calls of the apps' handlers, and
// the handlers' actions into commands to the server. The protocol is in docs/handlers.md.

"use strict";

const { Apps } = require("./apps");
const { pack } = require("./binary");
const { Errors } = require("./errors");
const { Link } = require("./link");
const { Mirror } = require("./mirror");
const predecessor = require("./predecessor");
const { SERVER_EVENTS, Socket, deliver, end, owes } = require("./socket");
const { Web } = require("./web");

const VERSION = 2;
const DRAIN_STEP_MS = 20;

class Host {
    constructor({ bench, id, replaces, drainMs, log, exit }) {
        Object.assign(this, { id, replaces, drainMs, log, exit });
        this.errors = new Errors(bench, log);
        this.web = new Web((message, answer) => this.question(message, answer), log);
        this.apps = new Apps(bench, this.errors, log);
        this.mirror = new Mirror(this);
        this.questions = new Map(); // number -> callback for the answer
        this.lastQuestion = 0;
        this.requests = 0; // requests to the web process that are open
        this.taken = null; // the server's own events that apps want, too
        this.leaving = false;
        this.link = new Link({
            hear: (message) => this.hear(message),
            end: (error) => this.ended(error),
            beforeFlush: () => this.mirror.closeBatch(),
            log,
        });
    }

    load() {
        this.apps.load();
    }

    /** Whether all apps of the old host work here, too. If not, this host leaves. */
    async mayAttach(socketPath) {
        const { failed } = this.apps;
        if (!failed.length || !this.replaces) return true;
        try {
            const served = await predecessor.getApps(socketPath, this.replaces);
            const kept = failed.filter((app) => served.includes(app));
            if (!kept.length) return true;
            const names = kept.join(", ");
            this.leave(`not taking over, the old handlers go on: no new ones of ${names}`);
        } catch (error) {
            this.leave(`cannot ask ${socketPath} about the old handlers: ${error.message}`);
        }
        return false;
    }

    start(socketPath) {
        const wanted = this.apps.handlers.size > 0;
        this.taken = new Set(this.apps.mentioned([...SERVER_EVENTS]));
        const first = {
            rt: "host",
            version: VERSION,
            id: this.id,
            language: "javascript",
            pid: process.pid,
            apps: [...this.apps.handlers.keys()],
            events: wanted ? ["*", ...this.taken] : [],
            connects: wanted,
            mirror: wanted,
            handshakes: wanted,
        };
        if (this.replaces) first.replaces = this.replaces;
        this.link.open(socketPath, first);
    }

    // ---- from the server ----

    hear(message) {
        const socket = this.mirror.sockets.get(message.s);
        switch (message.op) {
            case "event":
                if (socket) deliver(socket, message);
                break;
            case "ack":
            case "result":
                this.answered(message);
                break;
            case "join":
            case "leave":
                this.mirror.told(message.s, message.r, message.op === "join");
                break;
            case "connect":
                if (!socket) this.connect(message);
                break;
            case "disconnect":
                if (socket) end(socket, message.reason);
                break;
            case "config":
                this.web.configure(message);
                break;
            case "welcome":
                this.web.configure(message);
                this.log(`serves ${[...this.apps.handlers.keys()].join(", ") || "no app"}`);
                break;
            case "drain":
                this.drain(this.drainMs);
                break;
            default: // from a newer server, or a refusal
                if (message.error) this.log(`the server refuses this host: ${message.error}`);
        }
    }

    connect(told) {
        const socket = new Socket(this.mirror.namespace(told.ns), told, this);
        this.mirror.add(socket, told.rooms ?? []);
        this.apps.connect(socket);
    }

    answered(message) {
        const question = this.questions.get(message.q);
        this.questions.delete(message.q);
        if (question) question(message);
        else this.mirror.synced(message.q);
    }

    // ---- to the server ----

    nextQuestion() {
        return ++this.lastQuestion;
    }

    /** Keeps `answer` for the server's reply, and returns the number of the question. */
    expect(answer) {
        const q = this.nextQuestion();
        this.questions.set(q, answer);
        return q;
    }

    forget(q) {
        this.questions.delete(q);
    }

    question(message, answer) {
        message.q = this.expect(answer);
        this.link.send(message);
    }

    emit(message, [event, ...args]) {
        message.e = String(event);
        return this.link.sendEmit(pack(message, args));
    }

    /** An app listens to an event; the server must send its own events only then. */
    registered(event) {
        if (!SERVER_EVENTS.has(event) || this.taken.has(event)) return;
        this.taken.add(event);
        this.link.send({ op: "events", e: [event] });
    }

    /** An app listens to every event. */
    registeredForAll() {
        for (const event of SERVER_EVENTS) this.registered(event);
    }

    async busyWhile(promise) {
        this.requests++;
        try {
            return await promise;
        } finally {
            this.requests--;
        }
    }

    // ---- the end ----

    /** Whether a question, a request, a handler or an acknowledgement is open. */
    busy() {
        if (this.questions.size || this.requests || this.errors.handlers) return true;
        for (const socket of this.mirror.sockets.values()) if (owes(socket)) return true;
        return false;
    }

    /** Waits up to `ms` until nothing is open, then ends. */
    drain(ms) {
        this.leaving = true;
        const last = Date.now() + ms;
        const look = () => {
            if (this.busy() && Date.now() < last) return setTimeout(look, DRAIN_STEP_MS);
            this.link.close();
        };
        setImmediate(look);
    }

    /** Ends at once: no answer can reach a client any more. */
    leave(why) {
        this.log(why);
        this.leaving = true;
        this.exit(1);
    }

    ended(error) {
        if (error) return this.leave(`the link to the server broke: ${error.message}`);
        if (!this.leaving) return this.leave("the server has closed the link");
        this.exit(0);
    }
}

module.exports = { Host };
