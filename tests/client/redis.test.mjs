// `python -m frappe_rt serve` between a real redis-server and the real client.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { InProcess, Redis, SITE, Serve, TRANSPORTS, eventually, getFreePort, record } from "./support.mjs";

// The stub web process is the one of server.py; its own server is not used here.
let web, redis, server;
before(async () => {
    web = await InProcess.start();
    redis = await Redis.start();
    server = await Serve.start({ redis_queue: redis.url, webserver_port: web.web });
    await eventually("subscription", async () => (await redis.publish("{}")) === 1);
});
after(async () => {
    await server.close();
    await redis.close();
    await web.close();
});
afterEach(() => server.closeClients());

describe("through Redis", () => {
    for (const [name, options] of Object.entries(TRANSPORTS)) {
        test(`a publish of another Python process, ${name}`, async () => {
            const events = record(await server.join("ada", options));
            const output = await server.publish({ event: "e", message: { "ä": [1, "😀"] }, user: "ada@example.com" });
            assert.equal(output, "");
            assert.deepEqual(await events.take(1), [["e", { "ä": [1, "😀"] }]]);
        });
    }

    test("envelopes as Frappe writes them, pretty-printed, keys in any order, NaN", async () => {
        const events = record(await server.join("ada"));
        const envelope = { event: "e", message: { a: 1, b: "x\ny" }, namespace: SITE, room: "all" };
        await redis.publish(JSON.stringify(envelope, null, 1));
        await redis.publish(`{"room":"website","namespace":"${SITE}","message":[NaN,Infinity,-Infinity],"event":"n"}`);
        assert.deepEqual(await events.take(2), [["e", { a: 1, b: "x\ny" }], ["n", [null, null, null]]]);
    });

    test("without room: the whole site; without namespace: every site", async () => {
        const guest = record(await server.join("Guest"));
        await redis.publish(JSON.stringify({ event: "site", message: null, room: null, namespace: SITE }));
        await redis.publish(JSON.stringify({ event: "build_event", message: { ok: true } }));
        assert.deepEqual(await guest.take(2), [["site", null], ["build_event", { ok: true }]]);
    });

    test("what is malformed is skipped, what follows comes", async () => {
        const events = record(await server.join("ada"));
        const good = JSON.stringify({ event: "good", message: 1, room: "all", namespace: SITE });
        const bad = [
            "", "{", "null", "[]", '{"event":5,"message":1}', good.slice(0, -1), `${good} x`,
            JSON.stringify({ event: "e", message: 1, room: "all" }), "\u0000", `{"event":"e","message":"\n"}`,
        ];
        for (const text of bad) await redis.publish(text);
        await redis.publish(good);
        assert.deepEqual(await events.take(1), [["good", 1]]);
    });

    test("a burst keeps its order", async () => {
        const events = record(await server.join("ada"));
        const sent = Array.from({ length: 300 }, (_, n) =>
            JSON.stringify({ event: "n", message: n, room: "all", namespace: SITE }));
        spawnSync("redis-cli", ["-p", redis.port], {
            input: sent.map((text) => `PUBLISH events '${text}'`).join("\n"),
        });
        assert.deepEqual((await events.take(300)).map(([, n]) => n), Array.from(sent.keys()));
    });
});

test("Redis may come later, go, and come back", async (t) => {
    const port = await getFreePort();
    const late = await Serve.start({ redis_queue: `redis://127.0.0.1:${port}`, webserver_port: web.web });
    t.after(() => late.close());
    const told = new RegExp(`redis: redis://127.0.0.1:${port} is not there yet`);
    await eventually("the word about Redis", async () => told.test(late.child.output));
    const events = record(await late.join("ada"));
    const envelope = JSON.stringify({ event: "e", message: 1, room: "all", namespace: SITE });
    for (let round = 0; round < 2; round++) {
        const own = await Redis.start(port);
        await eventually("subscription", async () => (await own.publish(envelope)) === 1);
        assert.deepEqual(await events.take(1), [["e", 1]]);
        await own.close();
    }
});
