// frappe.realtime for pages without Desk: Socket.IO 5 over Engine.IO 4, on a WebSocket alone.
//
//     import { RealtimeClient } from "./realtime.js";
//     const realtime = new RealtimeClient({ site: "demo.localhost" });
//     realtime.on("list_update", (data) => refresh(data));
//     realtime.doctype_subscribe("ToDo");
//     realtime.connect();
//
// Unlike a plain Socket.IO client it repeats the page's subscriptions after each reconnect. Like one,
// it takes a connection for dead when the server's heartbeat stays away.
//
//   idle ──connect()──► connecting ──"0{..}"──► joining ──"40/site,"──► connected
//     ▲                   │    ▲                   │ │                      │
//     │ disconnect(),     │    └─ waiting ◄────────┘ └─"44/site,"─► refused │
//     │ "41/site,"        └──────────▲ (backoff with jitter)                │
//     └───────────────────────────── └──── transport lost ──────────────────┘
//
// There is no retry from `refused`: the same cookie would get the same answer. The page calls
// connect() again after a login.

/**
 * @import { Handler, RealtimeClient as Declared, RealtimeOptions, State } from "./realtime.d.ts"
 * @typedef {"path" | "reconnectDelay" | "reconnectDelayMax" | "jitter"} NeededOption
 * @typedef {string | symbol | undefined} EventName
 * @typedef {{ handler: Handler, once: boolean }} Entry
 * @typedef {{ resolve: Handler, reject?: Handler }} Ack
 * @typedef {{ json: string, attachments: any[], ack?: Ack | null, id?: number }} Call
 * @typedef {ReturnType<typeof parsePacket>} Packet
 * @typedef {ReturnType<typeof setTimeout> | undefined} Timer
 */

const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4"; // Engine.IO packet types
const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ACK = "3", CONNECT_ERROR = "4"; // Socket.IO's
/** @type {Record<string, string>} */
const BINARY = { [EVENT]: "5", [ACK]: "6" }; // the types of packets with attachments
/** @type {Record<string, string>} */
const PLAIN = { 5: EVENT, 6: ACK };
const ATTACHMENTS_MAX = 10; // of a packet, in both directions, as in socket.io-parser
const RESERVED = new Set([
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
]);
const ANY = Symbol("any event");
const BUFFER_MAX = 1000; // emits kept while there is no connection; the oldest are dropped
const ACK_TIMEOUT = 10000; // ms

/** @type {RealtimeOptions & Required<Pick<RealtimeOptions, NeededOption>>} */
const DEFAULTS = {
    url: undefined, // of the server; default: the page's own origin
    site: undefined, // namespace; default: frappe.boot.sitename, else the host name of the page
    path: "/socket.io/",
    reconnectDelay: 500, // ms before the first attempt; doubles with each attempt ...
    reconnectDelayMax: 10000, // ... up to this
    jitter: 0.5, // largest random part that is taken off a delay, 0 to 1
    connectTimeout: 20000, // ms from opening the WebSocket to the server's answer
    WebSocket: undefined, // a class for platforms that have none, or one that sets headers
};

export class RealtimeClient {
    /** @type {((state: State) => void) | null} called with each new state */
    onstatechange = null;
    /** @type {State} */
    state = "idle";
    /** @type {string | null} the Socket.IO id while connected */
    id = null;

    /** @type {typeof DEFAULTS} */
    #options;
    /** @type {WebSocket | null} */
    #socket = null;
    /** @type {Map<EventName, Set<Entry>>} */
    #handlers = new Map();
    /** @type {Map<string, Call>} JSON -> the call that subscribes, for the next connection */
    #subscriptions = new Map();
    /** @type {Call[]} calls that wait for a connection */
    #buffer = [];
    /** @type {Map<number | undefined, Ack>} */
    #acks = new Map();
    #nextAck = 0;
    #attempts = 0;
    /** @type {Timer} */
    #retryTimer;
    /** @type {Timer} of connecting, then of the heartbeat */
    #deadline;
    #silenceMax = 0; // ms without any packet after which the connection is dead
    #lastHeard = 0;
    /** @type {Packet | null} the packet whose attachments are coming in */
    #partial = null;
    #onOnline = () => this.#hurry();

    /** @param {RealtimeOptions} [options] */
    constructor(options = {}) {
        const given = Object.entries(options).filter(([, value]) => value !== undefined);
        this.#options = { ...DEFAULTS, ...Object.fromEntries(given) };
    }

    get connected() {
        return this.state === "connected";
    }

    get site() {
        const { site } = this.#options;
        if (typeof site === "string") return site; // an empty one is the namespace `/`
        const found = globalThis.frappe?.boot?.sitename ?? globalThis.location?.hostname;
        if (!found) throw new Error("no site: there is no page to take it from, so give the option `site`");
        return found;
    }

    // --- connecting -----------------------------------------------------------------------------

    connect() {
        if (this.#socket || this.state === "waiting") return this;
        const socket = this.#makeSocket();
        this.#attempts = 0;
        globalThis.addEventListener?.("online", this.#onOnline);
        this.#open(socket);
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

    /** Throws when an option is wrong or missing, or when the platform refuses the address. */
    #makeSocket() {
        const { url, path } = this.#options;
        const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
        const origin = url ?? globalThis.location?.origin;
        this.#prefix(); // throws without a site
        if (!origin) throw new Error("no url: there is no page to take it from, so give the option `url`");
        if (!WebSocket) throw new Error("this platform has no WebSocket, so give the option `WebSocket`");
        const base = new URL(path, origin);
        base.protocol = base.protocol.replace("http", "ws");
        base.search = "?EIO=4&transport=websocket";
        const socket = new WebSocket(base.href);
        socket.binaryType = "arraybuffer";
        return socket;
    }

    #open(socket) {
        const { connectTimeout } = this.#options;
        this.#socket = socket;
        // Ignore events of an earlier socket.
        const current = (act) => (event) => this.#socket === socket && act(event);
        socket.onmessage = current((event) => this.#onData(event.data));
        socket.onclose = current(() => this.#lost("transport close"));
        socket.onerror = current(() => {}); // a close event follows
        this.#deadline = setTimeout(() => this.#lost("timeout"), connectTimeout);
        this.#setState("connecting");
    }

    /** Closes a broken connection and starts the timer of the next attempt. */
    #lost(reason) {
        const wasConnected = this.connected;
        const { reconnectDelay, reconnectDelayMax, jitter } = this.#options;
        const delay = Math.min(reconnectDelay * 2 ** this.#attempts++, reconnectDelayMax);
        // Start the timer before any handler runs: a handler's disconnect() must find it.
        this.#retryTimer = setTimeout(() => this.#retry(), delay * (1 - jitter * Math.random()));
        this.#drop(reason, "waiting");
        if (!wasConnected) this.#tell("connect_error", new Error(reason));
    }

    /** The network is back: connect now, not when the timer ends. */
    #hurry() {
        if (this.state !== "waiting") return;
        clearTimeout(this.#retryTimer);
        this.#retry();
    }

    #retry() {
        let socket;
        try {
            socket = this.#makeSocket();
        } catch (error) {
            this.#lost(/** @type {Error} */ (error).message);
            return;
        }
        this.#open(socket);
    }

    #drop(reason, state) {
        const socket = this.#socket;
        const wasConnected = this.connected;
        this.#socket = null;
        this.id = null;
        this.#partial = null;
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
        safely(this.onstatechange, state);
    }

    // --- packets --------------------------------------------------------------------------------

    #send(packet) {
        this.#socket?.send(packet);
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
            this.#onAttachment(data);
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
        this.#send(MESSAGE + CONNECT + this.#prefix());
        this.#setState("joining");
    }

    #onMessage(text) {
        if (this.#partial) throw new Error("packet between the attachments of another packet");
        const packet = parsePacket(text);
        if (packet.expected) this.#partial = packet;
        else this.#onWholePacket(packet);
    }

    #onAttachment(data) {
        const packet = this.#partial;
        if (!packet) throw new Error("attachment without a packet");
        packet.attachments.push(data);
        if (packet.attachments.length < packet.expected) return;
        this.#partial = null;
        this.#onWholePacket(packet);
    }

    #onWholePacket({ type, site, id, json, attachments }) {
        const data = decode(json, attachments);
        if (site !== `/${this.site}`) return;
        if (type === CONNECT) {
            this.#onConnected(data.sid);
        } else if (type === EVENT) {
            this.#onEvent(id, data);
        } else if (type === ACK) {
            this.#onAck(id, data);
        } else if (type === CONNECT_ERROR) {
            this.#drop("refused", "refused");
            this.#tell("connect_error", new Error(data.message));
        } else if (type === DISCONNECT) {
            this.#drop("io server disconnect", "idle");
        }
    }

    #onConnected(sid) {
        this.id = sid;
        this.#attempts = 0;
        this.#watch();
        for (const call of this.#subscriptions.values()) this.#sendCall(call);
        for (const call of this.#buffer.splice(0)) this.#sendCall(call);
        this.#setState("connected");
        if (this.connected) this.#tell("connect"); // unless onstatechange has disconnected
    }

    #onEvent(id, [event, ...args]) {
        if (RESERVED.has(event)) return;
        if (id !== undefined) args.push(this.#makeReply(id));
        this.#tell(event, ...args);
        this.#tell(ANY, event, ...args);
    }

    /** The function with which a handler acknowledges. It works once, on the same connection. */
    #makeReply(id) {
        let socket = this.#socket;
        return (...values) => {
            if (!socket || this.#socket !== socket) return;
            this.#sendPacket(ACK, id, encode(values));
            socket = null;
        };
    }

    #onAck(id, values) {
        if (!Array.isArray(values)) throw new Error("acknowledgement without a list");
        const ack = this.#acks.get(id);
        this.#acks.delete(id);
        safely(ack?.resolve, ...values);
    }

    /** Checks for silence. Packets do not touch the timer: it starts again for the time left. */
    #watch() {
        clearTimeout(this.#deadline);
        const left = this.#lastHeard + this.#silenceMax - Date.now();
        if (left <= 0) this.#lost("ping timeout");
        else this.#deadline = setTimeout(() => this.#watch(), left);
    }

    // --- events ---------------------------------------------------------------------------------

    // Returns a function that removes this one registration.
    /** @param {string} event @param {Handler} handler */
    on(event, handler) {
        return this.#add(event, { handler, once: false });
    }

    /** @param {string} event @param {Handler} handler */
    once(event, handler) {
        return this.#add(event, { handler, once: true });
    }

    // Without a handler: all of the event. Without an event: all but those of onAny().
    /** @type {Declared["off"]} */
    off(event, handler) {
        for (const [name, entries] of this.#handlers)
            if (name === event || (event === undefined && name !== ANY))
                for (const entry of entries)
                    if (!handler || entry.handler === handler) this.#remove(name, entry);
    }

    /** @type {Declared["onAny"]} Each event from the server: `handler(event, ...args)`. */
    onAny(handler) {
        return this.#add(ANY, { handler, once: false });
    }

    #add(event, entry) {
        const entries = this.#handlers.get(event) ?? new Set();
        this.#handlers.set(event, entries.add(entry));
        return () => this.#remove(event, entry);
    }

    #remove(event, entry) {
        const entries = this.#handlers.get(event);
        entries?.delete(entry);
        if (entries?.size === 0) this.#handlers.delete(event);
    }

    #tell(event, ...args) {
        const entries = this.#handlers.get(event) ?? new Set();
        for (const entry of [...entries]) {
            if (!entries.has(entry)) continue; // removed by an earlier handler
            if (entry.once) this.#remove(event, entry);
            safely(entry.handler, ...args);
        }
    }

    // Sends an event; a function as the last argument gets the acknowledgement.
    /** @type {Declared["emit"]} */
    emit(event, ...args) {
        const resolve = typeof args.at(-1) === "function" ? args.pop() : null;
        this.#emit(event, args, resolve && { resolve });
    }

    // Promises the acknowledgement. Rejects when the connection is lost, or after ACK_TIMEOUT.
    /** @type {Declared["emitWithAck"]} */
    emitWithAck(event, ...args) {
        return this.#promise(ACK_TIMEOUT, (resolve, reject) => {
            const call = this.#emit(event, args, { resolve, reject });
            return () => this.#forget(call);
        });
    }

    /** @type {Declared["latency"]} Milliseconds for a `ping` to the server and its `pong` back. */
    latency(timeout = 5000) {
        const sent = performance.now();
        return this.#promise(timeout, (resolve) => {
            const off = this.once("pong", () => resolve(performance.now() - sent));
            const call = this.#emit("ping", [], null);
            return () => {
                off();
                this.#forget(call);
            };
        });
    }

    /** `start(resolve, reject)` returns what undoes it, for the timeout. */
    #promise(timeout, start) {
        return new Promise((resolve, reject) => {
            let timer = null;
            const settle = (act) => (value) => {
                clearTimeout(timer);
                act(value);
            };
            const undo = start(settle(resolve), settle(reject));
            timer = setTimeout(() => {
                undo();
                reject(new Error("timeout"));
            }, timeout);
        });
    }

    /** Encodes at once: a value that has no JSON is the caller's error, and later changes do not count. */
    #emit(event, args, ack) {
        if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
        const call = { ...encode([event, ...args]), ack };
        if (this.connected) this.#sendCall(call);
        else if (this.#buffer.push(call) > BUFFER_MAX) this.#buffer.shift();
        return call;
    }

    #sendCall(call) {
        if (call.ack) {
            call.id = this.#nextAck++;
            this.#acks.set(call.id, call.ack);
        }
        this.#sendPacket(EVENT, call.id ?? "", call);
    }

    #sendPacket(type, id, { json, attachments }) {
        const count = attachments.length;
        const head = count ? `${BINARY[type]}${count}-` : type;
        this.#send(MESSAGE + head + this.#prefix() + id + json);
        for (const attachment of attachments) this.#send(attachment);
    }

    /** Nobody waits for the answer any more: do not send the call, or ignore the answer. */
    #forget(call) {
        this.#buffer = this.#buffer.filter((other) => other !== call);
        this.#acks.delete(call.id);
    }

    // --- subscriptions, under the names of frappe.realtime -------------------------------------

    /** @type {Declared["doctype_subscribe"]} */
    doctype_subscribe(doctype) {
        this.#join("doctype_subscribe", doctype);
    }

    /** @type {Declared["doctype_unsubscribe"]} */
    doctype_unsubscribe(doctype) {
        this.#leave("doctype_subscribe", "doctype_unsubscribe", doctype);
    }

    /** @type {Declared["doc_subscribe"]} */
    doc_subscribe(doctype, docname) {
        this.#join("doc_subscribe", doctype, docname);
    }

    /** @type {Declared["doc_unsubscribe"]} */
    doc_unsubscribe(doctype, docname) {
        this.#leave("doc_subscribe", "doc_unsubscribe", doctype, docname);
    }

    /** @type {Declared["doc_open"]} */
    doc_open(doctype, docname) {
        this.#join("doc_open", doctype, docname);
    }

    /** @type {Declared["doc_close"]} */
    doc_close(doctype, docname) {
        this.#leave("doc_open", "doc_close", doctype, docname);
    }

    /** @type {Declared["task_subscribe"]} */
    task_subscribe(task_id) {
        this.#join("task_subscribe", task_id);
    }

    /** @type {Declared["task_unsubscribe"]} */
    task_unsubscribe(task_id) {
        this.#leave("task_subscribe", "task_unsubscribe", task_id);
    }

    // Follows a background job: calls `handlers.progress(message)` for each of its messages.
    /** @type {Declared["subscribe"]} */
    subscribe(task_id, handlers = {}) {
        this.task_subscribe(task_id);
        return this.on("task_progress", (message) => {
            if (message?.task_id === task_id) handlers.progress?.(message);
        });
    }

    #join(event, ...args) {
        const call = encode([event, ...args]);
        this.#subscriptions.delete(call.json); // to the end: keep the order of the last calls
        this.#subscriptions.set(call.json, call);
        if (this.connected) this.#sendCall(call);
    }

    #leave(joined, event, ...args) {
        this.#subscriptions.delete(encode([joined, ...args]).json);
        if (this.connected) this.emit(event, ...args);
    }
}

/** Calls a function of the page. An exception there must not break the connection. */
function safely(act, ...args) {
    try {
        act?.(...args);
    } catch (error) {
        console.error(error);
    }
}

/** `type [attachments "-"] ["/" namespace ","] [ack id] [JSON]`, Socket.IO protocol 5. */
function parsePacket(text) {
    const match = /^(?:[0-4]|[56](\d+)-)(?:(\/[^,]*),?)?(\d+)?/.exec(text);
    if (!match) throw new Error("not a Socket.IO packet");
    const [head, count, site = "/", id] = match;
    const expected = Number(count ?? 0);
    if (expected > ATTACHMENTS_MAX) throw new Error("too many attachments");
    return {
        type: PLAIN[text[0]] ?? text[0],
        expected,
        attachments: /** @type {any[]} */ ([]),
        site,
        id: id === undefined ? undefined : Number(id),
        json: text.slice(head.length),
    };
}

/** The values of a packet. Attachments take the places of their placeholders. */
function decode(json, attachments) {
    if (!json) return {};
    if (!attachments.length) return JSON.parse(json);
    return JSON.parse(json, (_key, value) => {
        if (value?._placeholder !== true) return value;
        if (!Number.isInteger(value.num) || !(value.num in attachments))
            throw new Error("placeholder without an attachment");
        return attachments[value.num];
    });
}

function isBinary(value) {
    const { Blob } = globalThis;
    return value instanceof ArrayBuffer || ArrayBuffer.isView(value) || (Blob && value instanceof Blob);
}

/** The opposite of decode(). */
function encode(values) {
    const attachments = [];
    const json = JSON.stringify(values, function (key, value) {
        // `value` has gone through toJSON(), which a Node.js Buffer has.
        if (!isBinary(this[key])) return value;
        return { _placeholder: true, num: attachments.push(this[key]) - 1 };
    });
    if (attachments.length > ATTACHMENTS_MAX)
        throw new RangeError(`more than ${ATTACHMENTS_MAX} binary values in one event`);
    return { json, attachments };
}
