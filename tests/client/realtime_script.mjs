// A WebSocket and a clock in the hands of a test, for realtime.js.

import { RealtimeClient } from "../../frappe_rt/client/realtime.js";
import { SITE } from "./support.mjs";

/** The other end of a WebSocket, in the hands of the test. */
export class Script {
    static all = [];
    sent = [];

    constructor(url) {
        this.url = url;
        Script.all.push(this);
    }

    send(packet) {
        this.sent.push(packet);
    }

    close() {
        this.closed = true;
    }

    say(...packets) {
        for (const data of packets) this.onmessage({ data });
    }

    open(pingInterval = 25000) {
        this.say(`0{"sid":"e","upgrades":[],"pingInterval":${pingInterval},"pingTimeout":20,"maxPayload":1000}`);
        this.say('40/one.localhost,{"sid":"s1"}');
    }
}

/** Time that goes by when a test says so. In Node 18 the clearTimeout of mock.timers takes away
 *  another timer, hence timers of its own. */
export class Clock {
    now = 1e6;
    timers = new Map();

    constructor(t) {
        t.mock.method(Date, "now", () => this.now);
        t.mock.method(globalThis, "setTimeout", (act, delay) => {
            const timer = {};
            this.timers.set(timer, { act, delay, due: this.now + delay });
            return timer;
        });
        t.mock.method(globalThis, "clearTimeout", (timer) => this.timers.delete(timer));
    }

    pass(ms) {
        const end = this.now + ms;
        for (;;) {
            const [next] = [...this.timers].sort(([, one], [, other]) => one.due - other.due);
            if (!next || next[1].due > end) break;
            this.timers.delete(next[0]);
            this.now = next[1].due;
            next[1].act();
        }
        this.now = end;
    }
}

/** A client whose WebSocket is Script.all[0]; it waits for that one's open(). */
export function openScript(options = {}) {
    Script.all = [];
    const fixed = { url: "https://desk.example", site: SITE, WebSocket: Script, reconnectDelay: 10, jitter: 0 };
    return new RealtimeClient({ ...fixed, ...options }).connect();
}
