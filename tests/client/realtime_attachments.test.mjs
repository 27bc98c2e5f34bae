// realtime.js: events and acknowledgements with attachments, in both directions, and broken ones.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { RealtimeClient } from "../../frappe_rt/client/realtime.js";
import { Script, openScript } from "./realtime_script.mjs";
import { Conformance, eventually, next, record, withHeaders } from "./support.mjs";

const bytes = (...values) => Uint8Array.from(values).buffer;
const HOLE = (num) => `{"_placeholder":true,"num":${num}}`;

describe("against the bare server", () => {
    let server, client;
    before(async () => {
        server = await Conformance.start("socketio");
        client = new RealtimeClient({ url: server.url, site: "", WebSocket: withHeaders({}) }); // namespace `/`
    });
    after(async () => {
        client.disconnect();
        await server.stop();
    });

    test("attachments go there and come back, in events and acknowledgements", async () => {
        client.connect();
        const answer = client.emitWithAck("message-with-ack", { file: Buffer.from("one"), n: 1 }, bytes(2));
        assert.deepEqual(await answer, { file: bytes(...Buffer.from("one")), n: 1 });
        const back = next(client, "message-back");
        client.emit("message", [bytes(), new Uint8Array([9, 8, 7]).subarray(1), "text"]);
        assert.deepEqual(await back, [[bytes(), bytes(8, 7), "text"]]);
        client.on("question", (value, reply) => reply({ value }));
        const answered = next(client, "answer");
        client.emit("ask", bytes(1, 2, 3));
        assert.deepEqual(await answered, [{ value: bytes(1, 2, 3) }]);
        assert.equal(client.connected, true);
    });
});

describe("packet by packet", () => {
    let client, socket;
    beforeEach(() => {
        client = openScript();
        socket = Script.all[0];
        socket.open();
    });
    afterEach(() => client.disconnect());

    test("an acknowledgement with an attachment", async () => {
        const answer = client.emitWithAck("file");
        socket.say(`461-/one.localhost,0[${HOLE(0)}]`, bytes(1, 2, 3));
        assert.deepEqual(await answer, bytes(1, 2, 3));
        let values;
        client.emit("files", (...all) => (values = all));
        socket.say(`463-/one.localhost,1[{"a":[${HOLE(2)},${HOLE(0)}]},"x",${HOLE(1)}]`, bytes(0), bytes(1));
        assert.equal(values, undefined);
        socket.say("2", bytes(2)); // a heartbeat may come between attachments
        assert.deepEqual(values, [{ a: [bytes(2), bytes(0)] }, "x", bytes(1)]);
        assert.equal(socket.sent.at(-1), "3");
    });

    test("an event with attachments", () => {
        const events = record(client);
        client.on("question", (file, reply) => reply(file));
        socket.say(`452-/one.localhost,["blobs",${HOLE(0)},{"deep":[${HOLE(1)}]}]`, bytes(1), bytes(2));
        socket.say('450-/one.localhost,["none"]', '42/one.localhost,["after"]');
        assert.deepEqual(events.splice(0), [["blobs", bytes(1), { deep: [bytes(2)] }], ["none"], ["after"]]);
        socket.say(`451-/one.localhost,7["question",${HOLE(0)}]`, bytes(5));
        assert.deepEqual(socket.sent.slice(1), [`461-/one.localhost,7[${HOLE(0)}]`, bytes(5)]);
    });

    test("a packet of another namespace takes its attachments with it", () => {
        const events = record(client);
        socket.say(`452-/other,["blobs",${HOLE(0)},${HOLE(1)}]`, bytes(1), bytes(2), '42/one.localhost,["after"]');
        assert.deepEqual(events.splice(0), [["after"]]);
    });

    test("a placeholder in a packet without attachments is ordinary data", () => {
        const events = record(client);
        socket.say(`42/one.localhost,["data",${HOLE(0)}]`);
        assert.deepEqual(events.splice(0), [["data", { _placeholder: true, num: 0 }]]);
    });

    test("binary values that are emitted", async () => {
        const view = new DataView(bytes(1, 2, 3), 1);
        const blob = new Blob(["text"]);
        client.emit("e", { view, list: [Buffer.from("b")] }, blob);
        assert.deepEqual(socket.sent.slice(1), [
            `453-/one.localhost,["e",{"view":${HOLE(0)},"list":[${HOLE(1)}]},${HOLE(2)}]`, view, Buffer.from("b"), blob,
        ]);
        const ten = Array.from({ length: 10 }, () => bytes(1));
        client.emit("e", ten);
        assert.throws(() => client.emit("e", ten, bytes(1)), RangeError);
        assert.equal(client.connected, true);
        assert.equal(socket.sent.length, 16);
    });

    const due = `462-/one.localhost,0[${HOLE(0)},${HOLE(1)}]`;
    const broken = {
        "a packet between attachments": [due, bytes(1), '42/one.localhost,["e"]'],
        "a packet of another namespace between attachments": [due, '42/other,["e"]'],
        "more attachments than were promised": [`451-/one.localhost,["e",${HOLE(0)}]`, bytes(1), bytes(2)],
        "an attachment of no packet": [bytes(1)],
        "eleven attachments": [`4611-/one.localhost,0[${HOLE(0)}]`],
        "a count of no end": [`46${"9".repeat(400)}-/one.localhost,0[${HOLE(0)}]`],
        "no count": [`46/one.localhost,0[${HOLE(0)}]`],
        "a count where none may be": ['431-/one.localhost,0["x"]'],
        "a placeholder past the end": [`461-/one.localhost,0[${HOLE(1)}]`, bytes(1)],
        "a placeholder below zero": [`461-/one.localhost,0[${HOLE(-1)}]`, bytes(1)],
        "a placeholder that is no number": [`461-/one.localhost,0[${HOLE('"length"')}]`, bytes(1)],
        "an acknowledgement without a list": ["43/one.localhost,0"],
        "a list that does not end": [`461-/one.localhost,0[${HOLE(0)}`, bytes(1)],
    };
    for (const [what, packets] of Object.entries(broken)) {
        test(`broken: ${what}`, async (t) => {
            t.mock.method(console, "error", () => {});
            const lost = assert.rejects(client.emitWithAck("e"), /parse error/);
            socket.say(...packets.slice(0, -1));
            assert.equal(client.connected, true);
            socket.say(packets.at(-1));
            assert.equal(client.state, "waiting");
            assert.ok(socket.closed);
            await lost;
        });
    }

    test("a connection that ends between attachments", async () => {
        const lost = assert.rejects(client.emitWithAck("e"), /transport close/);
        socket.say(due, bytes(1));
        socket.onclose({});
        await lost;
        await eventually("a second attempt", () => Script.all.length === 2);
        Script.all[1].open();
        const events = record(client);
        Script.all[1].say('42/one.localhost,["after"]');
        assert.deepEqual(events.splice(0), [["after"]]);
    });
});
