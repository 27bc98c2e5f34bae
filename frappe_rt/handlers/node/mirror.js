// A copy of the server's namespaces, so that an app can read sockets and rooms without waiting:
// `socket.nsp`, `nsp.sockets`, `nsp.adapter.rooms`.
//
// The server reports each change. An app's join or leave changes the copy at once, and the server
// reports it later. Until then the server's reports about that socket and room are held back: after a
// join and a leave, the report of the join would make the socket look joined again.

"use strict";

const { EventEmitter } = require("node:events");
const { BroadcastOperator, list } = require("./broadcast");

/** Rooms by name. The server's names are text; an app may look up a number. */
class Rooms extends Map {
    get(room) {
        return super.get(String(room));
    }

    has(room) {
        return super.has(String(room));
    }
}

class RoomNames extends Set {
    has(room) {
        return super.has(String(room));
    }
}

class Adapter extends EventEmitter {
    constructor(nsp, host) {
        super();
        this.nsp = nsp;
        this.host = host;
        this.rooms = new Rooms(); // name -> Set of ids
        this.sids = new Map(); // id -> RoomNames
    }

    /** Changes the copy alone. Returns whether anything changed. */
    put(id, room, joined) {
        return joined ? this.enter(id, room) : this.exit(id, room);
    }

    enter(id, room) {
        const own = this.sids.get(id);
        if (own.has(room)) return;
        own.add(room);
        let members = this.rooms.get(room);
        if (!members) {
            this.rooms.set(room, (members = new Set()));
            this.say("create-room", room);
        }
        members.add(id);
        this.say("join-room", room, id);
    }

    exit(id, room) {
        if (!this.sids.get(id).delete(room)) return;
        const members = this.rooms.get(room);
        members.delete(id);
        this.say("leave-room", room, id);
        if (members.size) return;
        this.rooms.delete(room);
        this.say("delete-room", room);
    }

    /** Emits one of the adapter's own events. */
    say(event, ...args) {
        for (const listener of this.rawListeners(event))
            this.host.errors.run(null, event, listener, this, args);
    }

    addAll(id, rooms) {
        for (const room of rooms) this.host.mirror.change(this, id, String(room), true);
    }

    del(id, room) {
        this.host.mirror.change(this, id, String(room), false);
    }

    /** Removes a socket that the server has closed. */
    delAll(id) {
        for (const room of this.sids.get(id) ?? []) this.exit(id, room);
        this.sids.delete(id);
    }

    socketRooms(id) {
        return this.sids.get(id);
    }

    /** The sockets in one of the rooms (or all of them), without those in an excepted room. */
    select({ rooms = new Set(), except = new Set() }) {
        const ids = rooms.size
            ? new Set([...rooms].flatMap((room) => [...(this.rooms.get(room) ?? [])]))
            : new Set(this.nsp.sockets.keys());
        for (const id of this.excepted(except)) ids.delete(id);
        return [...ids].flatMap((id) => this.nsp.sockets.get(id) ?? []);
    }

    /** The ids in the excepted rooms. A room without members may itself be an id. */
    excepted(except) {
        const members = (room) => [...(this.rooms.get(room) ?? [String(room)])];
        return [...new Set([...except].flatMap(members))];
    }

    async sockets(rooms) {
        return new Set(this.select({ rooms }).map((socket) => socket.id));
    }

    broadcast(packet, { rooms, except, flags = {} }) {
        const message = { op: "emit", ns: this.nsp.name };
        if (rooms?.size) message.r = [...rooms].map(String);
        const excepted = this.excepted(except ?? []);
        if (excepted.length) message.x = excepted;
        if (flags.volatile) message.v = true;
        this.host.emit(message, packet.data);
    }
}

/** A site, as socket.io's Namespace. */
class Namespace extends EventEmitter {
    constructor(name, host) {
        super();
        this.name = name;
        this.sockets = new Map();
        this.adapter = new Adapter(this, host);
        this.server = { of: (other) => host.mirror.namespace(other) };
    }

    operator() {
        return new BroadcastOperator(this.adapter);
    }

    emit(event, ...args) {
        return this.operator().emit(event, ...args);
    }

    to(room) {
        return this.operator().to(room);
    }

    in(room) {
        return this.operator().to(room);
    }

    except(room) {
        return this.operator().except(room);
    }

    timeout(ms) {
        return this.operator().timeout(ms);
    }

    get volatile() {
        return this.operator().volatile;
    }

    get local() {
        return this.operator();
    }

    compress() {
        return this.operator();
    }

    send(...args) {
        this.emit("message", ...args);
        return this;
    }

    write(...args) {
        return this.send(...args);
    }

    emitWithAck(event, ...args) {
        return this.operator().emitWithAck(event, ...args);
    }

    allSockets() {
        return this.operator().allSockets();
    }

    fetchSockets() {
        return this.operator().fetchSockets();
    }

    socketsJoin(rooms) {
        this.operator().socketsJoin(list(rooms));
    }

    socketsLeave(rooms) {
        this.operator().socketsLeave(list(rooms));
    }

    disconnectSockets(close = false) {
        this.operator().disconnectSockets(close);
    }
}

class Mirror {
    constructor(host) {
        this.host = host;
        this.namespaces = new Map();
        this.sockets = new Map(); // id -> Socket, of all namespaces
        this.held = new Map(); // "id room" -> { batch, told }, for unconfirmed changes
        this.batches = new Map(); // number of a sync -> the changes that it confirms
        this.batch = null;
    }

    namespace(name) {
        let nsp = this.namespaces.get(name);
        if (!nsp) this.namespaces.set(name, (nsp = new Namespace(name, this.host)));
        return nsp;
    }

    add(socket, rooms) {
        const { nsp, id } = socket;
        this.sockets.set(id, socket);
        nsp.sockets.set(id, socket);
        nsp.adapter.sids.set(id, new RoomNames());
        for (const room of [id, ...rooms]) nsp.adapter.enter(id, room);
    }

    remove(socket) {
        this.sockets.delete(socket.id);
        socket.nsp.adapter.delAll(socket.id);
        socket.nsp.sockets.delete(socket.id);
    }

    /** The server reports that a socket has joined or left. */
    told(id, room, joined) {
        const socket = this.sockets.get(id);
        if (!socket) return;
        const change = this.held.get(`${id} ${room}`);
        if (change) change.told = joined;
        else socket.nsp.adapter.put(id, room, joined);
    }

    /** An app makes a socket join or leave. */
    change(adapter, id, room, joined) {
        if (!adapter.sids.has(id)) return;
        if (!this.batch) {
            this.batch = this.host.nextQuestion();
            this.batches.set(this.batch, []);
        }
        const key = `${id} ${room}`;
        const change = this.held.get(key);
        if (change) change.batch = this.batch;
        else this.held.set(key, { batch: this.batch, told: null });
        this.batches.get(this.batch).push({ key, id, room });
        adapter.put(id, room, joined);
        this.host.link.send({ op: joined ? "join" : "leave", s: id, r: room });
    }

    /** Asks the server to confirm the changes of this write. */
    closeBatch() {
        if (!this.batch) return;
        const q = this.batch;
        this.batch = null;
        this.host.link.send({ op: "sync", q });
    }

    /** The server has confirmed: apply the reports that were held back. */
    synced(q) {
        for (const { key, id, room } of this.batches.get(q) ?? []) {
            const change = this.held.get(key);
            if (change?.batch !== q) continue; // a later batch has changed it again
            this.held.delete(key);
            if (change.told !== null) this.told(id, room, change.told);
        }
        this.batches.delete(q);
    }
}

module.exports = { Mirror };
