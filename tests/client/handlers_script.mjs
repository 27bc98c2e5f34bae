// What clients do with the sample apps, and what each of them gets to see: the same script for
// every server and either language, so that transcripts can be compared.

import { createHash } from "node:crypto";
import { next, record, sleep, within } from "./support.mjs";

/** Told apart from what handlers say: the answers to the pings behind `note`, and what is volatile. */
const UNNOTED = ["chat_alive", "phone_alive", "pong", "chat_typing"];
const HALF = "half a pair: \ud83d";

/** A long text by its hash: what differs is to be seen, not read. */
function inShort(text) {
    if (text.length < 100) return text;
    return `${text.length} characters, ${createHash("sha256").update(text).digest("hex")}`;
}

class Scene {
    constructor(server) {
        this.server = server;
        this.transcript = [];
        this.clients = {};
        this.names = new Map(); // id -> client's name
        this.emitted = new Set(); // names of events
    }

    /** A client of that name; the holder of the session `sid`, unless it says who it is otherwise. */
    async enter(name, options, sid = name) {
        const client = await this.server.join(sid, {
            ...options,
            query: { page: `/app/${name}` },
            auth: { tab: name.length },
        });
        client.heard = record(client, UNNOTED);
        client.on("disconnect", (reason) => client.heard.push(["disconnect", reason]));
        client.on("phone_hang_up", () => client.disconnect()); // see withoutWhatPythonLacks
        client.answers = [];
        client.on("phone_ring", (about, answer) => client.answers.shift()?.(answer));
        this.clients[name] = client;
        this.names.set(client.id, name);
        return client;
    }

    emit(client, event, ...args) {
        this.emitted.add(event);
        client.emit(event, ...args);
    }

    /** Emits and waits for the answer, which is heard as events are, in its turn. */
    async ask(client, event, ...args) {
        const answered = new Promise((done) =>
            this.emit(client, event, ...args, (...answer) => {
                client.heard.push([`answer to ${event}`, ...answer]);
                done();
            }),
        );
        await within(event, answered);
    }

    /** Emits what must not be answered; an empty answer is how Python's handlers say so. */
    refuse(client, event, ...args) {
        this.emit(client, event, ...args, (...answer) => {
            if (answer.length) client.heard.push([`answer to ${event}`, ...answer]);
        });
    }

    /** Emits until the other hears of it, as it may not be ready for what is volatile. */
    async insist(client, args, other, event) {
        let heard = null;
        other.once(event, (...what) => (heard = what));
        await within(
            event,
            (async () => {
                for (; !heard; await sleep(30)) this.emit(client, ...args);
            })(),
        );
        other.heard.push([event, ...heard]);
    }

    /** Notes what each client has heard, once everything so far has been answered. */
    async note(step) {
        for (let round = 0; round < 2; round++)
            for (const client of Object.values(this.clients)) {
                if (!client.connected) continue;
                const answers = [next(client, "chat_alive"), next(client, "phone_alive")];
                this.emit(client, "ping");
                await Promise.all(answers);
            }
        const heard = Object.entries(this.clients).map(([name, client]) => [
            name,
            this.shown(client.heard.splice(0)),
        ]);
        this.transcript.push([step, Object.fromEntries(heard)]);
    }

    /** Text for what JSON cannot show, binary values say, and for what differs each time: ids. */
    shown(value) {
        if (Buffer.isBuffer(value)) return `bytes ${inShort(value.toString("hex"))}`;
        if (typeof value === "string" && !this.names.has(value)) return inShort(value);
        if (Array.isArray(value)) return value.map((item) => this.shown(item));
        if (typeof value === "function") return "an acknowledgement";
        if (this.names.has(value)) return `id of ${this.names.get(value)}`;
        if (value === null || typeof value !== "object") return value;
        const entries = Object.entries(value).map(([key, item]) => [key, this.shown(item)]);
        return Object.fromEntries(entries);
    }
}

async function introduce(scene, { ada, customer, token }) {
    for (const client of [ada, customer, token]) await scene.ask(client, "chat_me");
    await scene.note("introduced");
}

async function visit(scene, { ada }, options) {
    const guest = await scene.enter("guest", options, "Guest");
    await scene.ask(guest, "chat_visit");
    await scene.note("a guest");
    const gone = next(ada, "phone_gone");
    guest.disconnect();
    await gone;
    await scene.note("no guest");
}

async function chat(scene, { ada, grace, customer, token }) {
    await scene.ask(ada, "chat_join", "general");
    await scene.ask(grace, "chat_join", "general");
    await scene.ask(grace, "chat_join", "random");
    await scene.ask(token, "chat_join", "general");
    await scene.note("joined");
    await scene.ask(ada, "chat_trace", true);
    await scene.ask(ada, "chat_say", "general", "héllo \u2028 😀");
    await scene.ask(ada, "chat_say", "general", {
        nested: [1.5, null, true, { deep: "x".repeat(70000) }],
    });
    await scene.ask(ada, "chat_say", "general", HALF);
    await scene.ask(customer, "chat_say", "general", "not in it");
    const rude = next(ada, "chat_error");
    scene.emit(ada, "chat_say", "general", "damn");
    await rude;
    await scene.note("said");
    await scene.insist(grace, ["chat_typing", "general"], ada, "chat_typing");
    for (const { id } of [grace, customer]) await scene.ask(ada, "chat_whisper", id, "psst");
    await scene.ask(ada, "chat_whisper", "nobody's id", "hello?");
    await scene.ask(ada, "chat_aside", "general", ["ada", "nobody"], "to both of grace's");
    await scene.ask(ada, "chat_aside", "general", ["grace"], "to none of grace's");
    await scene.note("said to some");
    await scene.ask(ada, "chat_invite", "random");
    await scene.ask(ada, "chat_shout", ["general", "random", "empty"], "to each once");
    await scene.ask(ada, "chat_announce", "to all");
    await scene.ask(ada, "chat_recruit", "general");
    scene.emit(ada, "nobody listens to this", 1);
    await scene.note("said to many");
    for (let n = 0; n < 2; n++) scene.emit(ada, "chat_once");
    for (let n = 0; n < 3; n++) scene.emit(ada, "chat_poke");
    await scene.note("once");
    await scene.ask(ada, "chat_deaf");
    scene.emit(ada, "chat_poke");
    await scene.ask(ada, "chat_trace", false);
    scene.emit(ada, "chat_poke");
    await scene.ask(ada, "chat_deaf");
    await scene.ask(ada, "chat_trace", false); // the same: it hears no more
    await scene.note("deaf");
    await scene.ask(grace, "chat_move", "general", "moved");
    await scene.ask(grace, "chat_channels", token.id);
    await scene.ask(grace, "chat_channels", grace.id);
    await scene.ask(grace, "chat_channels", "nobody's id");
    await scene.ask(grace, "chat_shout", ["moved"], "moved");
    await scene.ask(ada, "chat_leave", "moved");
    await scene.ask(ada, "chat_leave", "moved");
    await scene.note("moved");
    await scene.ask(customer, "chat_open", "Task", "TASK-1");
    await scene.ask(customer, "chat_open", "Task", null);
    scene.refuse(customer, "chat_open", "Task", "secret");
    await scene.ask(customer, "chat_say", "Task/TASK-1", "in it");
    await scene.ask(customer, "chat_say", "Task", "in it");
    await scene.ask(customer, "chat_say", "Task/secret", "not in it");
    await scene.note("opened");
}

async function write(scene, { ada, grace, customer }) {
    await scene.ask(ada, "document_update", Buffer.from([1]), null);
    await scene.ask(ada, "document_open", "D-1", "red");
    await scene.ask(ada, "document_update", Buffer.from([0, 255, 10, 13]), {
        marks: [Buffer.from("m")],
    });
    await scene.ask(grace, "document_open", "D-1", "blue");
    await scene.ask(grace, "document_update", Buffer.alloc(0), { none: null });
    await scene.ask(grace, "document_update", Buffer.alloc(100000, 7), 3);
    await scene.ask(ada, "document_update", "text", {});
    await scene.ask(ada, "document_sizes");
    scene.refuse(customer, "document_open", "secret", "black");
    await scene.note("written");
    await scene.ask(grace, "document_close");
    await scene.note("closed");
}

async function phone(scene, { ada, grace, customer, token }) {
    await scene.ask(ada, "phone_call", "grace", 30000);
    for (const client of [grace, customer]) await scene.ask(client, "phone_ready");
    grace.answers.push((answer) => answer("hello"));
    await scene.ask(ada, "phone_call", "grace", 30000);
    await scene.ask(ada, "phone_call", "customer", 100);
    await scene.note("called");
    ada.once("phone_sure", (number, answer) => answer(`${number}, sure, ${HALF}`));
    await scene.ask(ada, "phone_confirm", "+49 1");
    customer.answers = [(answer) => answer("customer here", "and more")];
    grace.answers = [(answer) => answer("grace here")];
    await scene.ask(ada, "phone_conference", ["grace", "customer"]);
    await scene.ask(ada, "phone_conference", ["nobody"]);
    for (const client of [customer, grace]) client.answers = [(answer) => answer("yes")];
    await scene.ask(ada, "phone_poll", 30000);
    customer.answers = [(answer) => answer("alone")];
    await scene.ask(ada, "phone_poll", 300);
    await scene.note("conferred");
    await scene.ask(ada, "phone_note", "call 1 & 2", "ünote");
    await scene.ask(token, "phone_note", "call 1 & 2", "by token");
    await scene.ask(customer, "phone_note", "secret", "not written");
    await scene.ask(customer, "phone_notes", "call 1 & 2");
    await scene.ask(customer, "phone_notes", "call 3");
    await scene.ask(ada, "phone_provider");
    await scene.note("noted");
}

async function leave(scene, { ada, grace, customer }, options) {
    await scene.ask(ada, "chat_join", "moved");
    const released = [next(ada, "phone_gone"), next(grace, "disconnect")];
    scene.emit(ada, "phone_release", "grace");
    await Promise.all(released);
    await scene.note("released");
    const closed = [next(ada, "phone_gone"), next(customer, "disconnect")];
    scene.emit(ada, "phone_close");
    await Promise.all(closed);
    await scene.note("closed");
    const again = await scene.enter("customer", options);
    await scene.ask(again, "document_open", "D-1", "green");
    await scene.note("back");
    const lost = next(ada, "phone_gone");
    again.io.engine.close();
    await lost;
    await scene.note("lost");
    const last = await scene.enter("customer", options);
    await scene.ask(last, "document_open", "D-1", "green");
    await scene.note("back again");
    const alone = next(last, "document_people");
    ada.disconnect();
    await alone;
    await scene.note("gone");
}

const ACTS = [introduce, visit, chat, write, phone, leave];

/** What the clients of `server` see, and the names of the events that they emit. */
export async function play(server, options) {
    const scene = new Scene(server);
    const people = {};
    for (const name of ["ada", "grace", "customer"]) people[name] = await scene.enter(name, options);
    const headers = { authorization: "Bearer grace" };
    people.token = await scene.enter("token", { ...options, headers }, null);
    for (const act of ACTS) await act(scene, people, options);
    return { transcript: scene.transcript, emitted: scene.emitted };
}

/**
 * A transcript without what handlers of Frappe's Python API cannot know or do: why a socket has
 * left, its request (cookie, headers, query), and to end it, so that a client is asked to do that
 * itself. Why no answer has come is each language's own text.
 */
export function withoutWhatPythonLacks(value) {
    if (!Array.isArray(value)) {
        if (value === null || typeof value !== "object") return value;
        const kept = Object.entries(value).filter(([key]) => !["reason", "connection"].includes(key));
        return Object.fromEntries(
            kept.map(([key, item]) => [
                key,
                key === "why" && item ? "an error" : withoutWhatPythonLacks(item),
            ]),
        );
    }
    if (value[0] === "phone_gone") return value.slice(0, 2);
    if (value[0] === "disconnect") return value.slice(0, 1);
    return value.filter((item) => item?.[0] !== "phone_hang_up").map(withoutWhatPythonLacks);
}
