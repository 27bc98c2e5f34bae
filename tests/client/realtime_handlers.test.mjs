// realtime.js: handlers on and off, and mistakes in a page's code, which must not break the connection.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Clock, Script, openScript } from "./realtime_script.mjs";

let client, socket, calls;
const note = (name) => () => calls.push(name);
const say = (...events) => events.forEach((event) => socket.say(`42/one.localhost,["${event}"]`));

beforeEach(() => {
    client = openScript();
    socket = Script.all[0];
    calls = [];
});
afterEach(() => client.disconnect());

describe("on, once, off", () => {
    beforeEach(() => socket.open());

    test("off() removes a handler of once()", () => {
        const handler = note("once");
        client.once("e", handler);
        client.off("e", handler);
        say("e");
        client.once("e", handler)();
        say("e");
        assert.deepEqual(calls, []);
    });

    test("a handler of once() runs once, also when it throws or is registered twice", (t) => {
        t.mock.method(console, "error", () => {});
        const handler = note("once");
        client.once("e", handler);
        client.once("e", handler);
        client.once("e", () => { calls.push("throws"); throw new Error("mistake of a page"); });
        say("e", "e");
        assert.deepEqual(calls, ["once", "once", "throws"]);
        assert.equal(console.error.mock.callCount(), 1);
    });

    test("off() removes each registration of a handler, and no other handler", () => {
        const handler = note("handler");
        client.on("e", handler);
        client.once("e", handler);
        client.once("e", handler);
        client.on("e", note("other"));
        client.on("f", handler);
        client.off("e", handler);
        client.off("e", note("stranger"));
        client.off("unknown", handler);
        say("e", "f");
        assert.deepEqual(calls, ["other", "handler"]);
    });

    test("what on() returns removes its own registration alone", () => {
        const handler = note("handler");
        const off = client.on("e", handler);
        client.on("e", handler);
        off();
        off();
        say("e");
        assert.deepEqual(calls, ["handler"]);
    });

    test("off() of an event removes all its handlers, off() alone those of all events", () => {
        client.onAny(note("any"));
        for (const event of ["e", "f", "g"]) {
            client.on(event, note(event));
            client.once(event, note(event));
        }
        client.off("e");
        say("e", "f");
        assert.deepEqual(calls.splice(0), ["any", "f", "f", "any"]);
        client.off();
        say("e", "f", "g");
        assert.deepEqual(calls, ["any", "any", "any"]);
    });

    test("a handler that is removed while the event is handled does not run", () => {
        const last = note("last");
        client.on("e", () => client.off("e", last));
        client.on("e", last);
        client.once("f", () => client.off("f"));
        client.once("f", last);
        say("e", "f");
        assert.deepEqual(calls, []);
    });

    test("a handler that is added while the event is handled waits for the next", () => {
        client.once("e", () => client.on("e", note("added")));
        say("e");
        assert.deepEqual(calls.splice(0), []);
        say("e");
        assert.deepEqual(calls, ["added"]);
    });

    test("a handler may remove itself", () => {
        const handler = () => { calls.push("self"); client.off("e", handler); };
        client.on("e", handler);
        client.on("e", note("next"));
        say("e", "e");
        assert.deepEqual(calls, ["self", "next", "next"]);
    });
});

describe("mistakes of a page", () => {
    test("handlers, callbacks and onstatechange may throw", (t) => {
        t.mock.method(console, "error", () => {});
        const fail = () => { throw new Error("mistake of a page"); };
        client.onstatechange = fail;
        client.on("connect", fail);
        socket.open();
        client.on("e", fail);
        client.on("e", note("next"));
        client.emit("ask", fail);
        say("e");
        socket.say('43/one.localhost,0["answer"]');
        assert.equal(client.connected, true);
        assert.deepEqual(calls, ["next"]);
        assert.equal(console.error.mock.callCount(), 5); // joining, connected, connect, e, the callback
    });

    test("a value without JSON is an error where it is emitted, also before the connection", async () => {
        const loop = {};
        loop.self = loop;
        const emitAll = async () => {
            assert.throws(() => client.emit("e", loop), TypeError);
            assert.throws(() => client.emit("e", 1n, () => {}), TypeError);
            await assert.rejects(client.emitWithAck("e", loop), TypeError);
        };
        await emitAll();
        client.emit("good");
        socket.open();
        await emitAll();
        assert.deepEqual(socket.sent.slice(1), ['42/one.localhost,["good"]']);
        assert.equal(client.connected, true);
    });

    test("Socket.IO's own events cannot be emitted: a server closes the connection for them", async () => {
        socket.open();
        const reserved = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
        for (const event of reserved) {
            assert.throws(() => client.emit(event), /reserved/);
            await assert.rejects(client.emitWithAck(event), /reserved/);
        }
        assert.equal(socket.sent.length, 1);
    });

    test("an event goes out as it was when it was emitted", () => {
        const message = { n: 1 };
        client.emit("e", message);
        message.n = 2;
        socket.open();
        assert.deepEqual(socket.sent.slice(1), ['42/one.localhost,["e",{"n":1}]']);
    });

    test("an acknowledgement goes out once", () => {
        socket.open();
        client.on("question", (reply) => { reply(1); reply(2); });
        socket.say('42/one.localhost,5["question"]');
        assert.deepEqual(socket.sent.slice(1), ["43/one.localhost,5[1]"]);
    });

    for (const state of ["connecting", "joining", "connected"]) {
        test(`disconnect() in onstatechange, when ${state}`, () => {
            client.disconnect();
            client.on("connect", note("connect"));
            client.onstatechange = (now) => now === state && client.disconnect();
            client.connect();
            const second = Script.all.at(-1);
            if (state !== "connecting") second.open();
            assert.equal(client.state, "idle");
            assert.ok(second.closed);
            assert.deepEqual(calls, []);
        });
    }
});

describe("timeouts", () => {
    /** A client whose timers are all the clock's. */
    function openWithClock(t) {
        client.disconnect();
        const clock = new Clock(t);
        client = openScript();
        [socket] = Script.all;
        return clock;
    }

    test("emitWithAck() after its timeout: not sent any more, a late answer is ignored", async (t) => {
        const clock = openWithClock(t);
        const unsent = assert.rejects(client.emitWithAck("unsent"), /timeout/);
        clock.pass(10000);
        await unsent;
        socket.open();
        const unanswered = assert.rejects(client.emitWithAck("unanswered"), /timeout/);
        clock.pass(10000);
        await unanswered;
        socket.say('43/one.localhost,0["late"]');
        assert.deepEqual(socket.sent.slice(1), ['42/one.localhost,0["unanswered"]']);
        assert.equal(client.connected, true);
    });

    test("latency() after its timeout leaves no handler and no ping", async (t) => {
        const clock = openWithClock(t);
        const before = assert.rejects(client.latency(100), /timeout/);
        clock.pass(100);
        await before;
        socket.open();
        assert.deepEqual(socket.sent, ["40/one.localhost,"]);
        let read = 0;
        t.mock.method(performance, "now", () => read++);
        const after = assert.rejects(client.latency(100), /timeout/);
        clock.pass(100);
        await after;
        say("pong");
        assert.equal(read, 1); // at the ping alone
    });
});
