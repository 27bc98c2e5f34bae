// socket.io-client, as published today and in 2021, against the socketio of build/conformance.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { io as old } from "socket.io-client-2021";
import { Conformance, TRANSPORTS, eventually, next, record, within } from "./support.mjs";

const RELEASES = { "of today": io, "of 2021": old };
const ARGS = [1, "2", { 3: [true, null] }, -0.5, "ünï ☃ \u{1f600}\u2028", [], {}];
const BINARY = [
    "before", Buffer.from([0, 30, 255]), { deep: [Buffer.alloc(0), { er: Buffer.alloc(200000, 7) }] }, null,
];

let server;
before(async () => (server = await Conformance.start("socketio")));
after(() => server.stop());
afterEach(() => server.closeClients());

for (const [release, connect] of Object.entries(RELEASES)) {
    for (const [name, options] of Object.entries(TRANSPORTS)) {
        describe(`socket.io-client ${release}, ${name}`, () => {
            const make = (ns = "/", more = {}, target = server) =>
                target.keep(connect(target.url + ns, { forceNew: true, reconnectionDelay: 20, ...options, ...more }));

            const settled = async (client) => {
                const last = options.transports.at(-1);
                await eventually(`transport ${last}`, () => client.io.engine.transport.name === last);
            };

            const join = async (...args) => {
                const client = make(...args);
                await next(client, "auth");
                await settled(client);
                return client;
            };

            /** What the server acknowledges `event` with. */
            const ask = (client, event, ...args) =>
                within(`acknowledgement of ${event}`, new Promise((done) =>
                    client.emit(event, ...args, (...answer) => done(answer))));

            test("the CONNECT payload is heard", async () => {
                assert.deepEqual(await next(make(), "auth"), [{}]);
                const auth = { token: "123", deep: { er: [1, null] } };
                assert.deepEqual(await next(make("/", { auth }), "auth"), [auth]);
                assert.deepEqual(await next(make("/custom", { auth }), "auth"), [auth]);
            });

            test("events carry text and binary both ways", async () => {
                const client = await join();
                for (const args of [ARGS, [], BINARY]) {
                    client.emit("message", ...args);
                    assert.deepEqual(await next(client, "message-back"), args);
                }
            });

            test("the server acknowledges, with text and binary", async () => {
                const client = await join();
                for (const args of [ARGS, [], BINARY])
                    assert.deepEqual(await ask(client, "message-with-ack", ...args), args);
            });

            test("the client acknowledges, with text and binary", async () => {
                const client = await join();
                for (const [args, answer] of [[ARGS, ["yes"]], [[], []], [BINARY, BINARY]]) {
                    const asked = new Promise((done) => client.once("question", (...all) => {
                        all.pop()(...answer);
                        done(all);
                    }));
                    const answered = next(client, "answer");
                    client.emit("ask", ...args);
                    assert.deepEqual(await within("question", asked), args);
                    assert.deepEqual(await answered, answer);
                }
            });

            test("what is sent while the transport changes comes once each and in order", async () => {
                const client = make();
                const events = record(client, ["auth"]);
                for (let n = 0; n < 200; n++) {
                    client.emit("message", n, ...(n % 5 ? [] : [Buffer.from([n])]));
                    if (n % 10 === 0) await new Promise(setImmediate);
                }
                const back = await events.take(200);
                assert.deepEqual(back.map(([event, n]) => [event, n]),
                    Array.from({ length: 200 }, (_, n) => ["message-back", n]));
                back.forEach(([, n, bytes]) => n % 5 || assert.deepEqual(bytes, Buffer.from([n])));
                await settled(client);
            });

            test("namespaces share a connection and are left one by one", async () => {
                const root = await join();
                const custom = server.keep(root.io.socket("/custom")).connect();
                const heard = record(custom, ["auth"]);
                await next(custom, "auth");
                assert.notEqual(custom.id, root.id);
                custom.emit("message", "nobody answers here");
                assert.deepEqual(await ask(root, "message-with-ack", 1), [1]);
                const left = next(custom, "disconnect");
                custom.disconnect();
                assert.deepEqual((await left)[0], "io client disconnect");
                assert.deepEqual(await ask(root, "message-with-ack", 2), [2]);
                const earlier = custom.id;
                custom.connect();
                await next(custom, "auth");
                assert.notEqual(custom.id, earlier);
                assert.deepEqual([...heard], []);
            });

            test("another namespace is refused, and the connection stays", async () => {
                const root = await join();
                const other = server.keep(root.io.socket("/other")).connect();
                const [error] = await next(other, "connect_error");
                assert.equal(error.message, "Invalid namespace");
                assert.equal(other.connected, false);
                assert.deepEqual(await ask(root, "message-with-ack", "on"), ["on"]);
            });

            test("after a restart of the server it is back by itself", async () => {
                const own = await Conformance.start("socketio");
                const client = await join("/", {}, own);
                const { id } = client;
                const gone = next(client, "disconnect");
                await own.stop();
                assert.match((await gone)[0], /^transport (close|error)$/);
                client.emit("message", "said while away", Buffer.from([1]));
                const heard = next(client, "message-back");
                const back = next(client, "auth");
                await own.restart();
                assert.deepEqual(await back, [{}]);
                assert.deepEqual(await heard, ["said while away", Buffer.from([1])]);
                assert.notEqual(client.id, id);
                await settled(client);
                own.closeClients();
                await own.stop();
            });
        });
    }
}
