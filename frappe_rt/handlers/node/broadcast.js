// Chains of `to(room)`, `except(room)`, `volatile`, `timeout(ms)` that end in an emit. Each step is a
// new object, so an app can keep a part of the chain.

"use strict";

const ASK = Symbol("ask"); // method of a Socket: emit, and wait for the acknowledgement
const EVENT = 2; // the packet type that apps see in adapter.broadcast
const RESERVED = new Set([
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
]);

function list(rooms) {
    return Array.isArray(rooms) ? rooms : [rooms];
}

function checkName(event) {
    if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
}

class BroadcastOperator {
    constructor(adapter, rooms = new Set(), except = new Set(), flags = {}) {
        Object.assign(this, { adapter, rooms, exceptRooms: except, flags });
    }

    with({ rooms = [], except = [], flags = {} }) {
        return new BroadcastOperator(
            this.adapter,
            new Set([...this.rooms, ...rooms]),
            new Set([...this.exceptRooms, ...except]),
            { ...this.flags, ...flags },
        );
    }

    to(room) {
        return this.with({ rooms: list(room) });
    }

    in(room) {
        return this.to(room);
    }

    except(room) {
        return this.with({ except: list(room) });
    }

    timeout(ms) {
        return this.with({ flags: { timeout: ms } });
    }

    get volatile() {
        return this.with({ flags: { volatile: true } });
    }

    /** No effect: there is one server, and it decides about compression. */
    get local() {
        return this;
    }

    compress() {
        return this;
    }

    get options() {
        return { rooms: this.rooms, except: this.exceptRooms, flags: this.flags };
    }

    emit(event, ...args) {
        checkName(event);
        if (typeof args.at(-1) === "function") {
            this.collect(event, args, args.pop());
        } else {
            const packet = { type: EVENT, nsp: this.adapter.nsp.name, data: [event, ...args] };
            this.adapter.broadcast(packet, this.options);
        }
        return true;
    }

    /** Broadcasts, and calls `callback(error, answers)` after the last answer or the timeout. */
    collect(event, args, callback) {
        const sockets = this.adapter.select(this.options);
        const answers = [];
        let missing = sockets.length;
        let failed = null;
        const count = (error, answer) => {
            if (error) failed = error;
            else answers.push(answer);
            if (--missing <= 0) callback(failed, answers);
        };
        if (!sockets.length) return setImmediate(callback, null, answers);
        for (const socket of sockets) socket[ASK](event, args, this.flags.timeout, count, true);
    }

    emitWithAck(event, ...args) {
        return new Promise((resolve, reject) => {
            this.emit(event, ...args, (error, answers) => {
                if (error) reject(Object.assign(error, { responses: answers }));
                else resolve(answers);
            });
        });
    }

    allSockets() {
        return this.adapter.sockets(this.rooms);
    }

    async fetchSockets() {
        return this.adapter.select(this.options);
    }

    socketsJoin(rooms) {
        for (const socket of this.adapter.select(this.options)) socket.join(rooms);
    }

    socketsLeave(rooms) {
        for (const socket of this.adapter.select(this.options))
            for (const room of list(rooms)) socket.leave(room);
    }

    disconnectSockets(close = false) {
        for (const socket of this.adapter.select(this.options)) socket.disconnect(close);
    }
}

module.exports = { ASK, BroadcastOperator, checkName, list, RESERVED };
