// frappe_request: where a handler's request goes, what it carries, and what comes back.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { after, afterEach, before, test } from "node:test";
import { Bench, FakeServer } from "./handlers_support.mjs";
import { Redis, SITE, eventually } from "./support.mjs";

const { Web, baseOf } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/web.js");
const S = "socket-0000000000001";
const SECRET = "the secret of 32 characters here";
const ASKS = `module.exports = (socket) => socket.on("ask", async (path, args, opts, reply) => {
    try {
        const response = await socket.frappe_request(path, args, opts);
        const { ok, status } = response;
        reply({ ok, status, type: response.headers.get("content-type"), text: await response.text() });
    } catch (error) { reply({ error: error.message }) }
});`;

let web, elsewhere, port, redis, bench, server, host;
const seen = [];

/** Answers with what it was asked; /to?where=... redirects, /none has no body. */
async function listen() {
    const listening = http.createServer(async (request, response) => {
        let body = "";
        for await (const piece of request) body += piece;
        const { method, url, headers } = request;
        seen.push({ at: listening, method, url, headers, body });
        const where = new URL(url, "http://x").searchParams.get("where") ?? url;
        if (url.startsWith("/none")) response.writeHead(204).end();
        else if (url.startsWith("/multiple")) response.writeHead(300).end("choose");
        else if (url.startsWith("/to"))
            response.writeHead(url.startsWith("/to307") ? 307 : 302, { location: where }).end();
        else
            response
                .writeHead(url.startsWith("/no") ? 417 : 200, {
                    "content-type": "application/json",
                })
                .end(`{"message":"ä"}`);
    });
    await once(listening.listen(0, "127.0.0.1"), "listening");
    return listening;
}

before(async () => {
    [web, elsewhere] = [await listen(), await listen()];
    ({ port } = web.address());
    redis = await Redis.start();
    await redis.call("SET", "socketio_auth_secret", SECRET);
});
after(async () => {
    for (const listening of [web, elsewhere]) listening.close();
    await redis.close();
});
afterEach(async () => {
    host?.kill("SIGKILL");
    await server?.close();
    await bench?.remove();
    host = server = bench = undefined;
    seen.length = 0;
});

async function begin(config = {}, more = {}) {
    bench = await Bench.make({
        apps: { one: ASKS },
        config: { webserver_port: port, redis_queue: redis.url, ...config },
    });
    server = await FakeServer.start(bench.socket);
    host = bench.host();
    await eventually("a first line", () => server.first);
    server.connect(S, { sid: "the-sid", ...more });
}

async function ask(path, args = {}, opts = {}) {
    server.event(S, "ask", [path, args, opts], { i: 1 });
    return (await server.next("ack")).a[0];
}

test("a request carries the session, the site and the secret, and gives a Response", async () => {
    await begin();
    assert.deepEqual(await ask("/api/method/x", { a: "1 &", b: 2 }), {
        ok: true,
        status: 200,
        type: "application/json",
        text: `{"message":"ä"}`,
    });
    const [{ method, url, headers }] = seen;
    assert.deepEqual([method, url], ["GET", "/api/method/x?a=1+%26&b=2"]);
    assert.equal(headers.host, SITE);
    assert.equal(headers.cookie, "sid=the-sid");
    assert.equal(headers["x-frappe-site-name"], SITE);
    assert.equal(headers["x-frappe-socket-secret"], SECRET);
    assert.equal(headers.authorization, undefined);
    assert.deepEqual((await ask("/no")).status, 417);
    assert.deepEqual(await ask("/none"), { ok: true, status: 204, type: null, text: "" });
});

test("Authorization wins over the cookie; method, body and headers are the app's", async () => {
    await begin({}, { authorization: "token a:b" });
    await ask(
        "/x",
        {},
        {
            method: "POST",
            body: "{}",
            headers: { "content-type": "application/json", cookie: "sid=other" },
        },
    );
    const [{ method, headers, body }] = seen;
    assert.deepEqual([method, body, headers["content-type"]], ["POST", "{}", "application/json"]);
    assert.equal(headers.authorization, "token a:b");
});

test("a redirect is followed on the web process, and never takes credentials elsewhere", async () => {
    await begin();
    assert.equal((await ask("/to", { where: "/there" })).ok, true);
    assert.deepEqual(
        seen.map(({ url }) => url),
        ["/to?where=%2Fthere", "/there"],
    );
    await ask("/to", { where: `https://${SITE}/there` });
    assert.deepEqual([seen.at(-1).url, seen.at(-1).headers.cookie], ["/there", "sid=the-sid"]);
    await ask("/to", { where: "/there" }, { method: "POST", body: "b" });
    assert.deepEqual([seen.at(-1).method, seen.at(-1).body], ["GET", ""]);
    await ask("/to307", { where: "/there" }, { method: "POST", body: "b" });
    assert.deepEqual([seen.at(-1).method, seen.at(-1).body], ["POST", "b"]);
    assert.equal((await ask("/to", { where: "/x" }, { redirect: "manual" })).status, 302);
    const refused = await ask("/to", { where: "/x" }, { redirect: "error" });
    assert.match(refused.error, /^\/to redirects to .*\/x, after 0 other redirects$/);
    await ask("/to", { where: "/there" }, { method: "HEAD" });
    assert.deepEqual([seen.at(-1).method, seen.at(-1).url], ["HEAD", "/there"]);
    const count = seen.length;
    const stolen = await ask("/to", {
        where: `http://localhost:${elsewhere.address().port}/steal`,
    });
    assert.match(stolen.error, /redirects to another host, localhost/);
    await ask("/to", { where: `http://127.0.0.1:${elsewhere.address().port}/steal` });
    assert.deepEqual(
        seen.slice(count).map(({ url }) => url.slice(0, 6)),
        ["/to?wh", "/to?wh", "/steal"],
    );
    assert.ok(seen.every(({ at }) => at === web));
    assert.match((await ask("/to")).error, /after 5 other redirects/);
    assert.equal((await ask("/multiple", { where: "/x" })).status, 300); // with nowhere to go
});

test("a path that names another host goes nowhere", async () => {
    await begin({ webserver_host: "127.0.0.1", webserver_port: String(port).slice(0, -1) });
    for (const where of [`@localhost:${elsewhere.address().port}/steal`, `${String(port).at(-1)}/x`])
        assert.match((await ask(where)).error, /(@localhost:\d+\/steal|\d\/x) is no path of the site/);
    assert.deepEqual(seen, []);
});

test("a request that takes too long, or is not wanted any more, fails as a fetch does", async () => {
    const silent = http.createServer(() => {});
    await once(silent.listen(0, "127.0.0.1"), "listening");
    const where = `http://127.0.0.1:${silent.address().port}/x`;
    const known = new Web(tmpdir(), () => {});
    known.base = new URL(where).origin;
    known.getSecret = async () => null;
    const request = (opts) => known.request({ site_name: SITE, sid: "the-sid" }, "/x", {}, opts);
    const reason = new Error("no more");
    for (const make of [
        () => AbortSignal.timeout(20),
        () => AbortSignal.abort(),
        () => AbortSignal.abort(reason),
    ]) {
        const told = ({ name, message }) => ({ name, message });
        const [theirs, ours] = await Promise.all([
            fetch(where, { signal: make() }).catch(told),
            request({ signal: make() }).catch(told),
        ]);
        assert.deepEqual(ours, theirs);
    }
    silent.close();
    silent.closeAllConnections();
});

test("without Redis a request goes without the secret, and the log says so once", async () => {
    await begin({ redis_queue: "redis://127.0.0.1:1" });
    assert.equal((await ask("/x")).ok, true);
    assert.equal((await ask("/x")).ok, true);
    assert.equal(seen[0].headers["x-frappe-socket-secret"], undefined);
    await host.says("requests go without socketio_auth_secret");
    assert.equal(host.output.match(/requests go without/g).length, 1);
});

test("a web process that is away is the app's error", async () => {
    await begin({ webserver_port: 1 });
    assert.match((await ask("/x")).error, /ECONNREFUSED/);
});

test("the secret of a Redis with a password and a database", async () => {
    const locked = await Redis.start();
    try {
        await locked.call(
            "EVAL",
            `redis.call("SELECT", 3) redis.call("SET", "socketio_auth_secret", "of three")`,
            0,
        );
        await locked.call("CONFIG", "SET", "requirepass", "p w");
        bench = await Bench.make({
            config: { redis_queue: `redis://default:p%20w@127.0.0.1:${locked.port}/3` },
        });
        const lines = [];
        const asking = new Web(bench.folder, (line) => lines.push(line));
        assert.equal(await asking.getSecret(), "of three");
        assert.deepEqual(lines, []);
        await bench.write(
            "sites/common_site_config.json",
            JSON.stringify({ redis_queue: locked.url }),
        );
        assert.equal(await new Web(bench.folder, (line) => lines.push(line)).getSecret(), null);
        assert.match(lines[0], /NOAUTH/);
    } finally {
        await locked.close();
    }
});

test("the base of requests follows the server's rule", () => {
    const rule = (more) => baseOf({ webserver_port: 8000, ...more });
    assert.equal(rule({}), "http://127.0.0.1:8000");
    assert.equal(rule({ webserver_host: "web" }), "http://web:8000");
    assert.equal(rule({ webserver_host: "https://web:444" }), "https://web:444");
    assert.equal(rule({ webserver_host: "[::1]" }), "http://[::1]:8000");
    assert.equal(rule({ webserver_host: "[::1]:1" }), "http://[::1]:1");
    assert.equal(rule({ webserver_host: "web", server_ip: "10.0.0.1" }), "http://10.0.0.1");
});
