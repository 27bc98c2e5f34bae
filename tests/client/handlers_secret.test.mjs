// The socket secret that requests of handlers carry: where the configuration says that Redis is, and
// what a Redis may answer.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Bench } from "./handlers_support.mjs";
import { eventually, sleep } from "./support.mjs";

const { Web, readConfig } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/web.js");
let bench, redis, web, asked, closed, logged;

/** A Redis that gives these pieces one after the other, then ends if it is to. */
async function listen(where, pieces, { ends = false } = {}) {
    redis = net.createServer(async (peer) => {
        let text = "";
        peer.on("error", () => {}).on("data", (piece) => (text += piece));
        peer.on("close", () => closed++);
        await once(peer, "data");
        asked.push(text);
        for (const piece of pieces) {
            peer.write(piece);
            await sleep(5); // so that each is a read of its own
        }
        if (ends) peer.end();
    });
    await once(redis.listen(where), "listening");
}

async function begin(config) {
    await bench.write("sites/common_site_config.json", JSON.stringify(config));
    web = new Web(bench.folder, (line) => logged.push(line));
}

async function beginWith(pieces, more) {
    await listen({ port: 0, host: "127.0.0.1" }, pieces, more);
    await begin({ redis_queue: `redis://:pw@127.0.0.1:${redis.address().port}/2` });
}

beforeEach(async () => {
    bench = await Bench.make({});
    [asked, closed, logged, redis] = [[], 0, [], undefined];
});
afterEach(async () => {
    await eventually("the end of each connection", () => closed === asked.length);
    delete process.env.FRAPPE_REDIS_QUEUE;
    redis?.close();
    await bench.remove();
});

const words = (text) => text.split("\r\n").filter((word) => /^[^*$]/.test(word));

test("the configuration is the bench's, the environment's above it, and what is falsy is not set", async () => {
    const initial = { webserver_port: 8000, redis_queue: "redis://127.0.0.1:11311" };
    await begin({});
    assert.deepEqual(readConfig(bench.folder), initial);
    await bench.write("config.json", JSON.stringify({ webserver_port: 8001, redis_queue: "redis://old" }));
    await begin({ webserver_port: 0, redis_queue: "redis://new", server_ip: "" });
    assert.deepEqual(readConfig(bench.folder), { webserver_port: 8001, redis_queue: "redis://new" });
    process.env.FRAPPE_REDIS_QUEUE = "redis://environment";
    assert.equal(readConfig(bench.folder).redis_queue, "redis://environment");
});

test("an answer may come in pieces, after those of a password and a database", async () => {
    await beginWith(["+O", "K\r\n+OK\r", "\n$6", "\r\nse\r\n", "cr", "\r\n"]);
    assert.equal(await web.getSecret(), "se\r\ncr");
    assert.deepEqual(words(asked[0]), ["AUTH", "pw", "SELECT", "2", "GET", "socketio_auth_secret"]);
    assert.deepEqual(logged, []);
});

test("a Redis at a Unix socket", async () => {
    const where = path.join(bench.folder, "re dis.sock");
    await listen(where, ["$1\r\ns\r\n"]);
    await begin({ redis_queue: `unix://${where.replace(" ", "%20")}` });
    assert.equal(await web.getSecret(), "s");
    assert.deepEqual(words(asked[0]), ["GET", "socketio_auth_secret"]);
});

test("there may be none, which is no error", async () => {
    await beginWith(["+OK\r\n+OK\r\n$-1\r\n"]);
    assert.equal(await web.getSecret(), null);
    assert.deepEqual(logged, []);
});

for (const [what, pieces, more, why] of [
    ["refuses", ["-WRONGPASS invalid\r\n"], {}, "WRONGPASS invalid"],
    ["goes", ["+OK\r\n"], { ends: true }, "the connection was closed"],
])
    test(`a Redis that ${what} is told of once, until it has given one again`, async () => {
        await beginWith(pieces, more);
        const old = () => (web.secret.asked = -Infinity);
        for (const expected of [1, 1]) {
            assert.equal(await web.getSecret(), null);
            assert.equal(logged.length, expected);
            old();
        }
        assert.ok(logged[0].includes(`(${why})`), logged[0]);
        pieces.splice(0, 9, "+OK\r\n+OK\r\n$1\r\ns\r\n");
        assert.equal(await web.getSecret(), "s");
        pieces.splice(0, 9, "-NO\r\n");
        old();
        assert.equal(await web.getSecret(), null);
        assert.equal(logged.length, 2);
    });

test("a Redis that talks without end is not listened to", async () => {
    await beginWith(["+OK\r\n+OK\r\n$9999999\r\n", "x".repeat(70 << 10)]);
    assert.equal(await web.getSecret(), null);
});

test("one answer is used for a while, also by who asks meanwhile", async () => {
    await beginWith(["+OK\r\n+OK\r\n$1\r\ns\r\n"]);
    assert.deepEqual(await Promise.all([web.getSecret(), web.getSecret()]), ["s", "s"]);
    assert.equal(await web.getSecret(), "s");
    assert.equal(asked.length, 1);
    web.secret.asked -= 5000;
    await web.getSecret();
    assert.equal(asked.length, 1);
    web.secret.asked -= 5001;
    assert.equal(await web.getSecret(), "s");
    assert.equal(asked.length, 2);
});
