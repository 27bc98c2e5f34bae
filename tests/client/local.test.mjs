// Two servers at one Redis, real clients at both: what is published on one side comes once to each.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { InProcess, Redis, SITE, Serve, eventually, record } from "./support.mjs";

let web, redis, first, second;
before(async () => {
    web = await InProcess.start();
    redis = await Redis.start();
    const common = { redis_queue: redis.url, webserver_port: web.web };
    first = await Serve.start({ ...common, frappe_rt_local_socket: "rt.sock" });
    second = await Serve.start(common);
    await eventually("subscriptions", async () => (await redis.publish("{}")) === 2);
});
after(async () => {
    await first.close();
    await second.close();
    await redis.close();
    await web.close();
});
afterEach(() => {
    first.closeClients();
    second.closeClients();
});

/** Lines to the first server's local socket. */
async function write(lines) {
    const peer = net.connect(path.join(first.bench, "rt.sock"));
    await once(peer, "connect");
    peer.resume(); // an answer nobody reads would keep it open
    peer.end(lines.map((line) => `${line}\n`).join(""));
    await once(peer, "close");
}

/** The answer to one line. */
async function ask(question) {
    const peer = net.connect(path.join(first.bench, "rt.sock"));
    peer.write(`${JSON.stringify(question)}\n`);
    let answer = "";
    for await (const piece of peer) {
        answer += piece;
        if (answer.endsWith("\n")) break;
    }
    return JSON.parse(answer);
}

const envelope = (n) => JSON.stringify({ event: "n", message: n, room: "all", namespace: SITE });

test("lines at the local socket reach the clients of both servers, once and in order", async () => {
    const events = [record(await first.join("ada")), record(await second.join("ada"))];
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    await write(numbers.map(envelope));
    for (const heard of events)
        assert.deepEqual((await heard.take(300)).map(([, n]) => n), numbers);
    await redis.publish(envelope("last"));
    for (const heard of events) assert.deepEqual(await heard.take(1), [["n", "last"]]);
});

test("a publish of another Python process of that bench", async () => {
    const events = [record(await first.join("ada")), record(await second.join("ada"))];
    await first.publish({ event: "e", message: { "ä": [1, "😀"] }, user: "ada@example.com" });
    await first.publish({ event: "last" });
    for (const heard of events)
        assert.deepEqual(await heard.take(2), [["e", { "ä": [1, "😀"] }], ["last", {}]]);
});

test("bad lines are skipped, those after them come", async () => {
    const events = record(await second.join("ada"));
    await write(["x", '{"event":"e","room":"all"}', '{"rt":"x"}', "", envelope(1), "{", envelope(2)]);
    assert.deepEqual(await events.take(2), [["n", 1], ["n", 2]]);
});

test("what is remembered about a user is forgotten on request", async () => {
    const asked = async () => (await ask({ rt: "stats" })).frappe.questions_asked;
    await first.join("grace");
    const earlier = await asked();
    await first.join("grace");
    assert.equal(await asked(), earlier);
    assert.deepEqual(await ask({ rt: "forget", site: SITE, user: "ada@example.com" }), { ok: true });
    await first.join("grace");
    assert.equal(await asked(), earlier);
    for (const user of [{ user: "grace@example.com" }, {}]) {
        const last = await asked();
        assert.deepEqual(await ask({ rt: "forget", site: SITE, ...user }), { ok: true });
        await first.join("grace");
        assert.equal(await asked(), last + 1);
    }
});
