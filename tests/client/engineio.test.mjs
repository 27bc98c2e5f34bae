// engine.io-client, as published today and in 2021, against the engineio of build/conformance.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Socket } from "engine.io-client";
import old from "engine.io-client-2021";
import { Conformance, TRANSPORTS, eventually, within } from "./support.mjs";

const RELEASES = { "of today": Socket, "of 2021": old.Socket };

let server;
before(async () => (server = await Conformance.start("engineio")));
after(() => server.stop());
afterEach(() => server.closeClients());

/** A client that is open; `received` fills with what comes back. */
async function open(Release, options, target = server) {
    const client = target.keep(new Release(target.url, { path: "/engine.io", ...options }));
    client.received = [];
    client.on("message", (data) => client.received.push(data));
    await within("open", new Promise((done, failed) => client.once("open", done).once("error", failed)));
    return client;
}

async function settled(client, options) {
    const last = options.transports.at(-1);
    await eventually(`transport ${last}`, () => client.transport.name === last);
}

async function take(client, n) {
    await eventually(`${n} messages`, () => client.received.length >= n);
    return client.received.splice(0);
}

for (const [release, Release] of Object.entries(RELEASES)) {
    for (const [name, options] of Object.entries(TRANSPORTS)) {
        describe(`engine.io-client ${release}, ${name}`, () => {
            test("text and binary come back as they were sent", async () => {
                const client = await open(Release, options);
                await settled(client, options);
                const sent = [
                    "hello", "", "4", "b", "ünï ☃ \u{1f600}\u2028", "x".repeat(300000),
                    Buffer.from([0, 30, 255, 10]), Buffer.alloc(0), Buffer.alloc(300000, 7),
                ];
                for (const data of sent) client.send(data);
                const back = await take(client, sent.length);
                sent.forEach((data, i) => {
                    const same = back[i] ?? ""; // how the client names an empty text
                    assert.equal(typeof same, typeof data, `message ${i}`);
                    assert.ok(Buffer.from(same).equals(Buffer.from(data)), `message ${i}`);
                });
            });

            test("what is sent while the transport changes comes once each and in order", async () => {
                const client = await open(Release, options);
                for (let n = 0; n < 300; n++) {
                    client.send(n % 3 ? `n${n}` : Buffer.from(`n${n}`));
                    if (n % 20 === 0) await new Promise(setImmediate);
                }
                const back = await take(client, 300);
                assert.deepEqual(back.map(String), Array.from({ length: 300 }, (_, n) => `n${n}`));
                await settled(client, options);
            });

            test("a client that closes can come again", async () => {
                const first = await open(Release, options);
                await settled(first, options);
                const closed = new Promise((done) => first.once("close", done));
                first.close();
                assert.equal(await within("close", closed), "forced close");
                const second = await open(Release, options);
                second.send("again");
                assert.deepEqual(await take(second, 1), ["again"]);
            });

            test("the server's end is heard, and the next one serves on the same port", async () => {
                const own = await Conformance.start("engineio");
                const client = await open(Release, options, own);
                await settled(client, options);
                const closed = new Promise((done) => client.once("close", done));
                await own.stop();
                assert.match(await within("close", closed), /^transport (close|error)$/);
                await own.restart();
                const next = await open(Release, options, own);
                next.send("again");
                assert.deepEqual(await take(next, 1), ["again"]);
                own.closeClients();
                await own.stop();
            });
        });
    }

    test(`engine.io-client ${release} keeps its session by answering pings`, async () => {
        const own = await Conformance.start("engineio", 0, ["--ping-interval", 40, "--ping-timeout", 60000]);
        for (const options of Object.values(TRANSPORTS)) {
            const client = await open(Release, options, own);
            await settled(client, options);
            const pings = [];
            client.on("ping", () => pings.push(client.transport.name));
            await eventually("three pings", () => pings.length >= 3);
            assert.equal(client.readyState, "open");
        }
        own.closeClients();
        await own.stop();
    });
}
