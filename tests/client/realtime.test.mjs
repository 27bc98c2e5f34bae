// realtime.js: against the server, and against a WebSocket that says exactly what a test wants.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { RealtimeClient } from "../../frappe_rt/client/realtime.js";
import { Clock, Script, openScript } from "./realtime_script.mjs";
import { InProcess, PATIENCE_MS, SITE, eventually, next, record, sleep, withHeaders } from "./support.mjs";

describe("against the server", () => {
    let server;
    const clients = [];
    before(async () => (server = await InProcess.start()));
    after(() => server.close());
    afterEach(() => clients.splice(0).forEach((client) => client.disconnect()));

    function make(sid = "ada", options = {}) {
        const WebSocket = withHeaders({ cookie: `sid=${sid}` });
        const client = new RealtimeClient({ url: server.url, site: SITE, WebSocket, reconnectDelay: 50, ...options });
        clients.push(client);
        return client;
    }

    test("events, emits before the connection, latency", async () => {
        const client = make();
        const pong = next(client, "pong");
        client.emit("ping");
        client.connect();
        await pong;
        assert.equal(client.connected, true);
        assert.equal(typeof client.id, "string");
        const events = record(client);
        await server.publish({ event: "mine", message: { n: 1 }, user: "ada@example.com" });
        assert.deepEqual(await events.take(1), [["mine", { n: 1 }]]);
        const began = performance.now();
        const latency = await client.latency(PATIENCE_MS);
        assert.ok(latency > 0 && latency <= performance.now() - began, `${latency} ms`);
    });

    test("after a restart of the server it is back in its rooms", async () => {
        const client = make().connect();
        client.doctype_subscribe("ToDo");
        client.doc_subscribe("ToDo", "T-1");
        client.doc_open("ToDo", "T-1");
        client.task_subscribe("t1");
        client.doc_subscribe("ToDo", "left");
        client.doc_unsubscribe("ToDo", "left");
        await next(client, "connect");
        const reasons = record(client);
        const gone = next(client, "disconnect");
        await server.ask("stop");
        assert.deepEqual(await gone, ["transport close"]);
        assert.equal(client.connected, false);
        const back = next(client, "connect");
        await server.ask("start");
        await back;
        const viewer = make("grace").connect();
        viewer.doc_open("ToDo", "T-1");
        await eventually("all rooms", async () => {
            reasons.splice(0);
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await server.publish({ event: "left", doctype: "ToDo", docname: "left" });
            await server.publish({ event: "doc", doctype: "ToDo", docname: "T-1" });
            await server.publish({ task_id: "t1" });
            await client.latency(PATIENCE_MS);
            return reasons.filter(([event]) => event !== "pong" && event !== "doc_viewers").length >= 3;
        });
        const seen = reasons.map(([event]) => event).filter((event) => event !== "doc_viewers");
        assert.deepEqual(seen, ["list_update", "doc", "task_progress", "pong"]);
    });

    test("a refusal is final, and says why", async () => {
        const client = make("disabled").connect();
        const [error] = await next(client, "connect_error");
        assert.match(error.message, /^Unauthorized/);
        assert.equal(client.state, "refused");
    });
});

describe("packet by packet", () => {
    let client;
    const latest = () => Script.all.at(-1);

    function connect(options) {
        client = openScript(options);
        return latest();
    }
    afterEach(() => client.disconnect());

    test("address and handshake", () => {
        const socket = connect();
        assert.equal(socket.url, "wss://desk.example/socket.io/?EIO=4&transport=websocket");
        const states = [];
        client.onstatechange = (state) => states.push(state);
        socket.open();
        assert.deepEqual(socket.sent, ["40/one.localhost,"]);
        assert.deepEqual(states, ["joining", "connected"]);
        assert.equal(client.id, "s1");
        client.disconnect();
        assert.deepEqual(socket.sent.slice(1), ["41/one.localhost,"]);
        assert.ok(socket.closed);
        assert.equal(client.state, "idle");
    });

    test("an option that is undefined has its default", (t) => {
        const clock = new Clock(t);
        t.mock.method(Math, "random", () => 0);
        connect({ path: undefined, reconnectDelay: undefined, reconnectDelayMax: undefined, jitter: undefined });
        for (const expected of [500, 1000, 2000, 4000, 8000, 10000]) {
            latest().onclose();
            const [{ delay }] = clock.timers.values();
            assert.equal(delay, expected);
            clock.pass(delay);
        }
        assert.match(latest().url, /^wss:..desk.example.socket.io./);
    });

    test("a WebSocket that cannot be made in a retry is tried again", (t) => {
        const clock = new Clock(t);
        const made = [];
        class Refused extends Script {
            constructor(url) {
                made.push(url);
                if (made.length === 2) throw new Error("refused by the platform");
                super(url);
            }
        }
        connect({ WebSocket: Refused });
        const errors = [];
        client.on("connect_error", (error) => errors.push(error.message));
        latest().onclose();
        clock.pass(10);
        assert.deepEqual([made.length, client.state], [2, "waiting"]);
        clock.pass(20);
        assert.deepEqual([made.length, client.state], [3, "connecting"]);
        latest().open();
        assert.equal(client.state, "connected");
        assert.deepEqual(errors, ["transport close", "refused by the platform"]);
    });

    test("what connect() lacks, it says at once", () => {
        connect();
        for (const [missing, why] of [
            [{ site: undefined }, /no site/],
            [{ url: undefined }, /no url/],
            [{ url: "nowhere" }, /Invalid URL/],
        ]) {
            const lacking = new RealtimeClient({ url: "https://desk.example", site: SITE, WebSocket: Script, ...missing });
            assert.throws(() => lacking.connect(), why);
            assert.equal(lacking.state, "idle");
        }
        assert.equal(Script.all.length, 1);
    });

    test("subscriptions go first, then what was emitted meanwhile, in order", () => {
        const socket = connect();
        client.emit("one", 1);
        client.doctype_subscribe("ToDo");
        client.emit("two");
        socket.open();
        assert.deepEqual(socket.sent.slice(1), [
            '42/one.localhost,["doctype_subscribe","ToDo"]',
            '42/one.localhost,["one",1]',
            '42/one.localhost,["two"]',
        ]);
    });

    test("heartbeats are answered, packets of other namespaces are not for us", () => {
        const socket = connect();
        const events = record(client);
        socket.open();
        socket.say("2", "6", '42/other,["no"]', '42["no"]', '42/one.localhost,["yes",{"a":"]"}]', '42/one.localhost,["connect"]');
        assert.deepEqual(socket.sent.slice(1), ["3"]);
        assert.deepEqual(events.splice(0), [["yes", { a: "]" }]]);
    });

    test("acknowledgements both ways", async () => {
        const socket = connect();
        socket.open();
        const answer = client.emitWithAck("sum", 1, 2);
        let second;
        client.emit("again", (...values) => (second = values));
        assert.deepEqual(socket.sent.slice(1), ['42/one.localhost,0["sum",1,2]', '42/one.localhost,1["again"]']);
        socket.say('43/one.localhost,1["x","y"]', '43/one.localhost,0[3]', '43/one.localhost,7[3]');
        assert.equal(await answer, 3);
        assert.deepEqual(second, ["x", "y"]);
        client.on("question", (n, reply) => reply(n * 2, "ok"));
        socket.say('42/one.localhost,12["question",21]');
        assert.equal(socket.sent.at(-1), '43/one.localhost,12[42,"ok"]');
    });

    test("an acknowledgement that cannot come any more is an error", async () => {
        const socket = connect();
        socket.open();
        const lost = assert.rejects(client.emitWithAck("sum"), /transport close/);
        socket.onclose({});
        await lost;
    });

    test("silence ends the connection, and it comes back", async () => {
        const socket = connect();
        socket.open(40);
        const [reason] = await next(client, "disconnect");
        assert.equal(reason, "ping timeout");
        assert.equal(client.state, "waiting");
        assert.ok(socket.closed);
        await eventually("a second attempt", () => latest() !== socket);
        latest().open();
        assert.equal(client.connected, true);
        socket.say('42/one.localhost,["ghost"]');
        socket.onclose({});
        assert.equal(client.connected, true);
    });

    test("any word keeps it alive", (t) => {
        const clock = new Clock(t);
        const socket = connect();
        socket.open(40); // and the 20 ms that an answer may take
        for (let n = 0; n < 8; n++) {
            clock.pass(59);
            socket.say("6");
        }
        assert.equal(client.connected, true);
        clock.pass(60);
        assert.equal(client.state, "waiting");
    });

    test("nonsense from the server is one lost connection", async (t) => {
        t.mock.method(console, "error", () => {});
        const socket = connect();
        socket.open();
        socket.say("42/one.localhost,[oops");
        assert.equal(client.state, "waiting");
        await eventually("a second attempt", () => latest() !== socket);
    });

    test("delays double up to their limit", (t) => {
        const { timers } = new Clock(t);
        const delays = [];
        connect({ reconnectDelay: 100, reconnectDelayMax: 500 });
        for (let n = 0; n < 5; n++) {
            const lost = latest();
            lost.onclose({});
            assert.equal(timers.size, 1, "nothing but the next attempt is waited for");
            const [[timer, { act, delay }]] = timers;
            delays.push(delay);
            timers.delete(timer);
            act();
            assert.notEqual(latest(), lost);
        }
        assert.deepEqual(delays, [100, 200, 400, 500, 500]);
    });

    test("a handler may end it all", async () => {
        const socket = connect();
        socket.open();
        client.on("disconnect", () => client.disconnect());
        socket.onclose({});
        await sleep(50);
        assert.equal(client.state, "idle");
        assert.equal(Script.all.length, 1);
    });

    test("a disconnect from the server is final until connect()", async () => {
        const socket = connect();
        socket.open();
        const [reason] = await Promise.all([next(client, "disconnect"), socket.say("41/one.localhost,")]);
        assert.deepEqual(reason, ["io server disconnect"]);
        await sleep(50);
        assert.equal(Script.all.length, 1);
        client.connect();
        latest().open();
        assert.equal(client.connected, true);
    });

    test("subscribe() hands over the messages of its own task", () => {
        const socket = connect();
        socket.open();
        const seen = [];
        const off = client.subscribe("t1", { progress: (message) => seen.push(message.n) });
        const say = (n, task) => socket.say(`42/one.localhost,["task_progress",{"n":${n},"task_id":"${task}"}]`);
        say(1, "t1");
        say(2, "t2");
        off();
        say(3, "t1");
        assert.deepEqual(seen, [1]);
    });
});
