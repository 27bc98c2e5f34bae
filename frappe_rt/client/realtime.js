// frappe.realtime for pages without Desk: Socket.IO 5 over Engine.IO 4, on a WebSocket alone.
//
//     import { RealtimeClient } from "./realtime.js";
//     const realtime = new RealtimeClient({ site: "demo.localhost" });
//     realtime.on("list_update", (data) => refresh(data));
//     realtime.doctype_subscribe("ToDo");
//     realtime.connect();
//
// What sets it apart from a plain Socket.IO client: after a reconnect it joins again whatever the
// page had subscribed to or opened, and it notices a dead connection by the missing heartbeat.
//
//   idle ──connect()──► connecting ──"0{..}"──► joining ──"40/site,"──► connected
//     ▲                   │    ▲                   │ │                      │
//     │ disconnect(),     │    └─ waiting ◄────────┘ └─"44/site,"─► refused │
//     │ "41/site,"        └──────────▲ (backoff with jitter)                │
//     └───────────────────────────── └──── transport lost ──────────────────┘
//
// `refused` is an answer, not an accident: trying again with the same cookie gives the same answer,
// so nothing happens until connect() is called once more.

const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4"; // Engine.IO packet types
const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ACK = "3", CONNECT_ERROR = "4"; // Socket.IO's
const RESERVED = new Set(["connect", "connect_error", "disconnect", "disconnecting"]);
const ANY = Symbol("any event");
const BUFFER_MAX = 1000; // emits kept while there is no connection; the oldest go first

const DEFAULTS = {
    url: undefined, // of the server; default: the page's own origin
    site: undefined, // namespace; default: frappe.boot.sitename, else the host name of the page
    path: "/socket.io/",
    reconnectDelay: 500, // ms before the first attempt; doubles with each ...
    reconnectDelayMax: 10000, // ... up to this
    jitter: 0.5, // each delay is shortened by a random part of up to this
    connectTimeout: 20000, // ms from opening the WebSocket to the answer of the server
    WebSocket: undefined, // class to use where the platform has none, or to set headers
};

export class RealtimeClient {
    /** Called with each new state: idle, connecting, joining, connected, waiting, refused. */
    onstatechange = null;
    state = "idle";
    /** The Socket.IO id while connected, else null. */
    id = null;

    #options;
    #socket = null;
    #handlers = new Map(); // event -> Set of functions
    #subscriptions = new Map(); // key -> the emit that joins it again
    #buffer = []; // arguments of emits that wait for a connection
    #acks = new Map(); // id -> {resolve, reject}
    #nextAck = 0;
    #attempts = 0;
    #retryTimer = null;
    #deadline = null; // timer of the heartbeat, or of connecting
    #silenceMax = 0; // ms without a word after which the connection is dead
    #lastHeard = 0;
    #skipBinary = 0; // attachments of a packet that is skipped
    #onOnline = () => this.#hurry();

    constructor(options = {}) {
        this.#options = { ...DEFAULTS, ...options };
    }

    get connected() {
        return this.state === "connected";
    }

    get site() {
        const { site } = this.#options;
        return site ?? globalThis.frappe?.boot?.sitename ?? globalThis.location.hostname;
    }

    // --- connecting -----------------------------------------------------------------------------

    connect() {
        if (this.#socket || this.state === "waiting") return this;
        this.#attempts = 0;
        globalThis.addEventListener?.("online", this.#onOnline);
        this.#open();
        return this;
    }

    disconnect() {
        globalThis.removeEventListener?.("online", this.#onOnline);
        clearTimeout(this.#retryTimer);
        if (this.connected) this.#send(MESSAGE + DISCONNECT + this.#prefix());
        this.#drop("io client disconnect", "idle");
        return this;
    }

    #prefix() {
        return `/${this.site},`;
    }

    #open() {
        const { url, path, connectTimeout } = this.#options;
        const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
        const base = new URL(path, url ?? globalThis.location.origin);
        base.protocol = base.protocol.replace("http", "ws");
        base.search = "?EIO=4&transport=websocket";
        this.#setState("connecting");
        const socket = new WebSocket(base.href);
        this.#socket = socket;
        // Events of a socket that was given up must not touch its successor.
        const current = (act) => (event) => this.#socket === socket && act(event);
        socket.onmessage = current((event) => this.#onData(event.data));
        socket.onclose = current(() => this.#lost("transport close"));
        socket.onerror = current(() => {}); // close follows, and says no less
        this.#deadline = setTimeout(() => this.#lost("timeout"), connectTimeout);
    }

    /** The connection has gone by itself: come back after a while. */
    #lost(reason) {
        const wasConnected = this.connected;
        const { reconnectDelay, reconnectDelayMax, jitter } = this.#options;
        const delay = Math.min(reconnectDelay * 2 ** this.#attempts++, reconnectDelayMax);
        // Armed before anybody is told, so that a handler's disconnect() can take it back.
        this.#retryTimer = setTimeout(() => this.#open(), delay * (1 - jitter * Math.random()));
        this.#drop(reason, "waiting");
        if (!wasConnected) this.#tell("connect_error", new Error(reason));
    }

    /** The network is back: no reason to wait for the timer. */
    #hurry() {
        if (this.state !== "waiting") return;
        clearTimeout(this.#retryTimer);
        this.#open();
    }

    #drop(reason, state) {
        const socket = this.#socket;
        const wasConnected = this.connected;
        this.#socket = null;
        this.id = null;
        this.#skipBinary = 0;
        clearTimeout(this.#deadline);
        socket?.close();
        for (const { reject } of this.#acks.values()) reject?.(new Error(reason));
        this.#acks.clear();
        this.#setState(state);
        if (wasConnected) this.#tell("disconnect", reason);
    }

    #setState(state) {
        if (this.state === state) return;
        this.state = state;
        this.onstatechange?.(state);
    }

    // --- packets --------------------------------------------------------------------------------

    #send(packet) {
        this.#socket.send(packet);
    }

    #onData(data) {
        this.#lastHeard = Date.now();
        try {
            this.#onPacket(data);
        } catch (error) {
            console.error(error);
            this.#lost("parse error");
        }
    }

    #onPacket(data) {
        if (typeof data !== "string") {
            this.#skipBinary -= this.#skipBinary > 0;
        } else if (data[0] === OPEN) {
            this.#onOpen(JSON.parse(data.slice(1)));
        } else if (data[0] === PING) {
            this.#send(PONG + data.slice(1));
        } else if (data[0] === MESSAGE) {
            this.#onMessage(data.slice(1));
        } else if (data[0] === CLOSE) {
            this.#lost("transport close");
        }
    }

    #onOpen({ pingInterval, pingTimeout }) {
        this.#silenceMax = pingInterval + pingTimeout;
        this.#setState("joining");
        this.#send(MESSAGE + CONNECT + this.#prefix());
    }

    #onMessage(text) {
        const packet = parsePacket(text);
        if (packet.attachments) {
            this.#skipBinary = packet.attachments; // binary events are not for pages like these
        } else if (packet.site !== `/${this.site}`) {
            return;
        } else if (packet.type === CONNECT) {
            this.#onConnected(packet.data.sid);
        } else if (packet.type === EVENT) {
            this.#onEvent(packet);
        } else if (packet.type === ACK) {
            this.#takeAck(packet.id)?.resolve(...packet.data);
        } else if (packet.type === CONNECT_ERROR) {
            this.#drop("refused", "refused");
            this.#tell("connect_error", new Error(packet.data.message));
        } else if (packet.type === DISCONNECT) {
            this.#drop("io server disconnect", "idle");
        }
    }

    #onConnected(sid) {
        this.id = sid;
        this.#attempts = 0;
        this.#watch();
        this.#setState("connected");
        for (const call of this.#subscriptions.values()) this.#sendEvent(call);
        for (const call of this.#buffer.splice(0)) this.#sendEvent(call);
        this.#tell("connect");
    }

    #onEvent({ id, data: [event, ...args] }) {
        if (RESERVED.has(event)) return;
        if (id !== undefined) {
            const asked = this.#socket;
            args.push((...values) => {
                if (this.#socket !== asked) return; // too late: nobody waits for it any more
                this.#send(MESSAGE + ACK + this.#prefix() + id + JSON.stringify(values));
            });
        }
        this.#tell(event, ...args);
        this.#tell(ANY, event, ...args);
    }

    /** Looks for silence. One timer, however many packets come: it re-arms itself for the rest. */
    #watch() {
        clearTimeout(this.#deadline);
        const left = this.#lastHeard + this.#silenceMax - Date.now();
        if (left <= 0) this.#lost("ping timeout");
        else this.#deadline = setTimeout(() => this.#watch(), left);
    }

    // --- events ---------------------------------------------------------------------------------

    /** Returns a function that takes the handler off again. */
    on(event, handler) {
        if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
        this.#handlers.get(event).add(handler);
        return () => this.off(event, handler);
    }

    once(event, handler) {
        const off = this.on(event, (...args) => {
            off();
            handler(...args);
        });
        return off;
    }

    /** Without a handler: all of this event. */
    off(event, handler) {
        if (handler) this.#handlers.get(event)?.delete(handler);
        else this.#handlers.delete(event);
    }

    /** Each event from the server: `handler(event, ...args)`. */
    onAny(handler) {
        return this.on(ANY, handler);
    }

    #tell(event, ...args) {
        for (const handler of [...(this.#handlers.get(event) ?? [])]) {
            try {
                handler(...args);
            } catch (error) {
                console.error(error); // one page's mistake is not the connection's
            }
        }
    }

    /** Sends an event; a function as the last argument gets the acknowledgement. */
    emit(event, ...args) {
        const resolve = typeof args.at(-1) === "function" ? args.pop() : null;
        this.#emit({ event, args, resolve });
    }

    /** The acknowledgement as a promise; rejected when the connection is lost or `timeout` ms pass. */
    emitWithAck(event, ...args) {
        return this.#promise(10000, (resolve, reject) => this.#emit({ event, args, resolve, reject }));
    }

    /** Milliseconds for a `ping` to the server and its `pong` back. */
    latency(timeout = 5000) {
        const sent = performance.now();
        return this.#promise(timeout, (resolve) => {
            this.once("pong", () => resolve(performance.now() - sent));
            this.emit("ping");
        });
    }

    #promise(timeout, start) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error("timeout")), timeout);
            const settle = (act) => (value) => {
                clearTimeout(timer);
                act(value);
            };
            start(settle(resolve), settle(reject));
        });
    }

    #emit(call) {
        if (this.connected) return this.#sendEvent(call);
        this.#buffer.push(call);
        if (this.#buffer.length > BUFFER_MAX) this.#buffer.shift();
    }

    #sendEvent({ event, args, resolve, reject }) {
        const id = resolve ? this.#nextAck++ : "";
        if (resolve) this.#acks.set(id, { resolve, reject });
        this.#send(MESSAGE + EVENT + this.#prefix() + id + JSON.stringify([event, ...args]));
    }

    #takeAck(id) {
        const ack = this.#acks.get(id);
        this.#acks.delete(id);
        return ack;
    }

    // --- what a page has subscribed to, as frappe.realtime names it --------------------------------

    doctype_subscribe(doctype) {
        this.#join("doctype_subscribe", doctype);
    }

    doctype_unsubscribe(doctype) {
        this.#leave("doctype_subscribe", "doctype_unsubscribe", doctype);
    }

    doc_subscribe(doctype, docname) {
        this.#join("doc_subscribe", doctype, docname);
    }

    doc_unsubscribe(doctype, docname) {
        this.#leave("doc_subscribe", "doc_unsubscribe", doctype, docname);
    }

    doc_open(doctype, docname) {
        this.#join("doc_open", doctype, docname);
    }

    doc_close(doctype, docname) {
        this.#leave("doc_open", "doc_close", doctype, docname);
    }

    task_subscribe(task_id) {
        this.#join("task_subscribe", task_id);
    }

    task_unsubscribe(task_id) {
        this.#leave("task_subscribe", "task_unsubscribe", task_id);
    }

    /** Watches a background job: `handlers.progress(message)` for each of its messages. */
    subscribe(task_id, handlers = {}) {
        this.task_subscribe(task_id);
        return this.on("task_progress", (message) => {
            if (message?.task_id === task_id) handlers.progress?.(message);
        });
    }

    #join(event, ...args) {
        const key = JSON.stringify([event, ...args]);
        this.#subscriptions.delete(key); // to the end: joined again in the order it was asked for
        this.#subscriptions.set(key, { event, args });
        if (this.connected) this.emit(event, ...args);
    }

    #leave(joined, event, ...args) {
        this.#subscriptions.delete(JSON.stringify([joined, ...args]));
        if (this.connected) this.emit(event, ...args);
    }
}

/** `type [attachments "-"] ["/" namespace ","] [ack id] [JSON]`, Socket.IO protocol 5. */
function parsePacket(text) {
    const match = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?/.exec(text);
    if (!match) return {};
    const [head, type, attachments, site = "/", id] = match;
    const rest = text.slice(head.length);
    return {
        type,
        attachments: Number(attachments ?? 0),
        site,
        id: id === undefined ? undefined : Number(id),
        data: rest && !attachments ? JSON.parse(rest) : {},
    };
}
