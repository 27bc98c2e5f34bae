// One client's connection for the apps' handlers: the API of socket.io's Socket, and what Frappe's
// server adds to it (user, has_permission, frappe_request).
//
// Apps set their own properties on it, so private members have symbols as names.

"use strict";

const { EventEmitter } = require("node:events");
const { pack, unpack } = require("./binary");
const { ASK, BroadcastOperator, checkName, list, RESERVED } = require("./broadcast");

const MAX_ACK_MS = 30000; // limit of the protocol: the server then forgets the acknowledgement

const ASKED_TOO_MUCH =
    "none comes: too many are awaited from one client, or the answer was too long (docs/limits.md)";

// Events that the server handles itself. It sends them here only if an app wants them, too.
const SERVER_EVENTS = new Set([
    "ping",
    "open_in_editor",
    "doctype_subscribe",
    "doctype_unsubscribe",
    "doc_subscribe",
    "doc_unsubscribe",
    "doc_open",
    "doc_close",
    "task_subscribe",
    "task_unsubscribe",
    "progress_subscribe",
]);

const HOST = Symbol("host");
const FLAGS = Symbol("flags"); // of the next emit: timeout, volatile
const OWED = Symbol("owed"); // acknowledgements that clients wait for
const MIDDLEWARE = Symbol("middleware");
const INCOMING = Symbol("any"); // listeners of every incoming event
const OUTGOING = Symbol("any outgoing");
const APP = Symbol("app"); // property of a listener: the app that registered it
const OWN = Symbol("own");

class Socket extends EventEmitter {
    constructor(nsp, told, host) {
        super();
        this[HOST] = host;
        this[FLAGS] = {};
        this[OWED] = 0;
        this.id = told.s;
        this.nsp = nsp;
        this.connected = true;
        this.recovered = Boolean(told.again);
        this.data = {};
        this.user = told.user;
        this.user_type = told.type;
        this.installed_apps = told.apps ?? host.apps.names();
        this.sid = told.sid ?? undefined;
        this.authorization_header = told.authorization ?? undefined;
        this.site_name = told.site;
        this.handshake = handshakeOf(told, host.web);
        this.request = requestOf(this.handshake);
    }

    // ---- what Frappe's server adds ----

    /** Resolves if the user may read the document; otherwise never settles. */
    has_permission(doctype, name) {
        return new Promise((resolve) => {
            const question = { op: "permission", s: this.id, doctype: String(doctype) };
            if (name) question.name = String(name);
            this[HOST].question(question, ({ ok }) => {
                if (ok) resolve();
                else if (ok === null)
                    this[HOST].log(`nobody answered who may read ${doctype} ${name ?? ""}`);
            });
        });
    }

    /** Fetches from the site's web process with this client's credentials. */
    frappe_request(path, args = {}, opts = {}) {
        return this[HOST].busyWhile(this[HOST].web.request(this, path, args, opts));
    }

    // ---- events from the client ----

    on(event, listener) {
        this[HOST].registered(event);
        return super.on(event, this[OWN](listener));
    }

    addListener(event, listener) {
        return this.on(event, listener);
    }

    prependListener(event, listener) {
        this[HOST].registered(event);
        return super.prependListener(event, this[OWN](listener));
    }

    use(middleware) {
        this[HOST].registeredForAll();
        (this[MIDDLEWARE] ??= []).push(this[OWN](middleware));
        return this;
    }

    onAny(listener) {
        this[HOST].registeredForAll();
        (this[INCOMING] ??= []).push(this[OWN](listener));
        return this;
    }

    prependAny(listener) {
        this[HOST].registeredForAll();
        (this[INCOMING] ??= []).unshift(this[OWN](listener));
        return this;
    }

    offAny(listener) {
        this[INCOMING] = without(this[INCOMING], listener);
        return this;
    }

    listenersAny() {
        return this[INCOMING] ?? [];
    }

    onAnyOutgoing(listener) {
        (this[OUTGOING] ??= []).push(this[OWN](listener));
        return this;
    }

    prependAnyOutgoing(listener) {
        (this[OUTGOING] ??= []).unshift(this[OWN](listener));
        return this;
    }

    offAnyOutgoing(listener) {
        this[OUTGOING] = without(this[OUTGOING], listener);
        return this;
    }

    listenersAnyOutgoing() {
        return this[OUTGOING] ?? [];
    }

    /** Marks a listener with its app. `once` registers a wrapper, which gets the mark. */
    [OWN](listener) {
        const app = this[HOST].errors.running;
        const marked = typeof listener !== "function" || APP in listener;
        if (app && !marked && Object.isExtensible(listener))
            Object.defineProperty(listener, APP, { value: app });
        return listener;
    }

    // ---- events to clients ----

    emit(event, ...args) {
        checkName(event);
        const flags = this[FLAGS];
        this[FLAGS] = {};
        const callback = typeof args.at(-1) === "function" ? args.pop() : null;
        if (this[OUTGOING]) callAll(this, [...this[OUTGOING]], "onAnyOutgoing", [event, ...args]);
        if (callback) this[ASK](event, args, flags.timeout, callback, false);
        else if (flags.volatile)
            this[HOST].emit({ op: "emit", ns: this.nsp.name, r: [this.id], v: true }, [
                event,
                ...args,
            ]);
        else if (this.connected) this[HOST].emit({ op: "emit", s: this.id }, [event, ...args]);
        return true;
    }

    emitWithAck(event, ...args) {
        const timed = this[FLAGS].timeout !== undefined;
        return new Promise((resolve, reject) => {
            this.emit(event, ...args, (first, second) => {
                if (!timed) resolve(first);
                else if (first) reject(first);
                else resolve(second);
            });
        });
    }

    /**
     * Emits. With a timeout or `always`, calls `callback(error, ...answer)` in any case; without,
     * calls `callback(...answer)` if an answer comes.
     */
    [ASK](event, args, timeout, callback, always) {
        const host = this[HOST];
        const timed = timeout !== undefined || always;
        const app = host.errors.running;
        const what = `acknowledgement of ${event}`;
        const finish = (answer) => {
            clearTimeout(timer);
            host.errors.run(app, what, callback, this, answer);
        };
        const late = () => {
            host.forget(q);
            finish([new Error("operation has timed out")]);
        };
        const q = host.expect((told) => {
            if (!told.error) finish(timed ? [null, ...unpack(told)] : unpack(told));
            else if (told.error === "limit") host.errors.report(app, what, ASKED_TOO_MUCH);
            else if (timed && told.error === "timeout") late();
        });
        const timer = timed ? setTimeout(late, timeout ?? MAX_ACK_MS) : null;
        const t = Math.min(timeout ?? MAX_ACK_MS, MAX_ACK_MS);
        try {
            const message = { op: "emit", s: this.id, q, t };
            const sent = this.connected && host.emit(message, [event, ...args]);
            if (!sent && !timed) host.forget(q);
        } catch (error) {
            clearTimeout(timer);
            host.forget(q);
            throw error;
        }
    }

    send(...args) {
        return this.emit("message", ...args) && this;
    }

    write(...args) {
        return this.send(...args);
    }

    get volatile() {
        this[FLAGS].volatile = true;
        return this;
    }

    timeout(ms) {
        this[FLAGS].timeout = ms;
        return this;
    }

    compress() {
        return this;
    }

    get broadcast() {
        const flags = this[FLAGS];
        this[FLAGS] = {};
        return new BroadcastOperator(this.nsp.adapter, new Set(), new Set([this.id]), flags);
    }

    get local() {
        return this.broadcast;
    }

    to(room) {
        return this.broadcast.to(room);
    }

    in(room) {
        return this.broadcast.to(room);
    }

    except(room) {
        return this.broadcast.except(room);
    }

    // ---- rooms, and the end ----

    get rooms() {
        return this.nsp.adapter.socketRooms(this.id) ?? new Set();
    }

    join(rooms) {
        this.nsp.adapter.addAll(this.id, new Set(list(rooms)));
    }

    leave(room) {
        this.nsp.adapter.del(this.id, room);
    }

    disconnect(close = false) {
        if (!this.connected) return this;
        this[HOST].link.send({ op: "disconnect", s: this.id, close: Boolean(close) });
        end(this, "server namespace disconnect");
        return this;
    }

    get disconnected() {
        return !this.connected;
    }

    /** A stand-in for the Engine.IO connection, which is in the server. */
    get conn() {
        const conn = new EventEmitter();
        const { address: remoteAddress, query } = this.handshake;
        const transport = { name: query.transport ?? "websocket" };
        const told = { id: this.id, request: this.request, remoteAddress, transport };
        Object.assign(conn, told, { writeBuffer: [], protocol: 4 });
        Object.defineProperty(this, "conn", { value: conn, configurable: true, writable: true });
        return conn;
    }

    get client() {
        return { conn: this.conn, request: this.request };
    }

    get adapter() {
        return this.nsp.adapter;
    }

    get server() {
        return this.nsp.server;
    }
}

function without(listeners, listener) {
    return listener ? listeners?.filter((other) => other !== listener) : [];
}

/**
 * The handshake. After a host has taken over, the server no longer has all of it; the site's
 * configuration fills the gaps.
 */
function handshakeOf(told, web) {
    const headers = told.headers ?? { host: told.site, origin: web.originOf(told.site) };
    const now = new Date();
    return {
        headers,
        query: told.query ?? {},
        auth: told.auth ?? {},
        time: String(now),
        issued: now.getTime(),
        url: "/socket.io/",
        address:
            headers["x-real-ip"] ?? headers["x-forwarded-for"]?.split(",")[0].trim() ?? "127.0.0.1",
        xdomain: Boolean(headers.origin),
        secure: (headers.origin ?? "").startsWith("https:"),
    };
}

/** The HTTP request of the handshake, reduced to what apps use: headers and address. */
function requestOf({ headers, url, address: remoteAddress }) {
    const connection = { remoteAddress };
    return { headers, url, method: "GET", connection, socket: connection };
}

/** Calls each listener. An exception does not stop the next one. */
function callAll(socket, listeners, what, args) {
    const { errors } = socket[HOST];
    for (const listener of listeners) errors.run(listener[APP], what, listener, socket, args);
}

/** Calls the listeners of an event. */
function call(socket, event, args) {
    callAll(socket, socket.rawListeners(event), `event ${String(event)}`, args);
}

/** Handles an event from the client. */
function deliver(socket, message) {
    const { e: event } = message;
    if (RESERVED.has(event)) return;
    const args = unpack(message);
    if (message.i !== undefined && message.i !== null)
        args.push(acknowledge(socket, message.i, event));
    callAll(socket, [...socket.listenersAny()], "onAny", [event, ...args]);
    if (!socket[MIDDLEWARE]) call(socket, event, args);
    else runMiddleware(socket, 0, [event, ...args]);
}

function runMiddleware(socket, at, packet) {
    const middleware = socket[MIDDLEWARE][at];
    if (!middleware) return socket.connected && call(socket, packet[0], packet.slice(1));
    const { errors } = socket[HOST];
    const next = (error) => {
        if (!error) runMiddleware(socket, at + 1, packet);
        else if (socket.listenerCount("error")) call(socket, "error", [error]);
        else errors.report(middleware[APP], "middleware, without a listener of error", error);
    };
    errors.run(middleware[APP], "middleware", middleware, socket, [packet, next]);
}

/** The function with which a handler acknowledges. */
function acknowledge(socket, i, event) {
    let answered = false;
    if (socket.listenerCount(event)) socket[OWED]++;
    return (...args) => {
        if (answered) return;
        answered = true;
        if (socket[OWED] > 0) socket[OWED]--;
        if (socket.connected) socket[HOST].link.send(pack({ op: "ack", s: socket.id, i }, args));
    };
}

/** Ends the socket. As in socket.io, only `disconnecting` handlers can still read its rooms. */
function end(socket, reason) {
    if (!socket.connected) return;
    call(socket, "disconnecting", [reason]);
    socket[HOST].mirror.remove(socket);
    socket.connected = false;
    socket[OWED] = 0;
    call(socket, "disconnect", [reason]);
}

const owes = (socket) => socket[OWED];

module.exports = { SERVER_EVENTS, Socket, deliver, end, owes };
