// frappe_request: where a handler's request goes, what it carries, and what comes back.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { Bench, FakeServer } from "./handlers_support.mjs";
import { SITE, eventually } from "./support.mjs";

const { Web } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/web.js");
const S = "socket-0000000000001";
const SECRET = "the secret of 32 characters here";
const ASKS = `module.exports = (socket) => socket.on("ask", async (path, args, opts, reply) => {
    try {
        const response = await socket.frappe_request(path, args, opts);
        const { ok, status } = response;
        reply({ ok, status, type: response.headers.get("content-type"), text: await response.text() });
    } catch (error) { reply({ error: error.message }) }
});`;

let web, elsewhere, port, bench, server, host;
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
});
after(() => {
    for (const listening of [web, elsewhere]) listening.close();
});
afterEach(async () => {
    host?.kill("SIGKILL");
    await server?.close();
    await bench?.remove();
    host = server = bench = undefined;
    seen.length = 0;
});

async function begin(more = {}, base = `http://127.0.0.1:${port}`) {
    bench = await Bench.make({ apps: { one: ASKS } });
    server = await FakeServer.start(bench.socket);
    server.secret = { secret: SECRET };
    host = bench.host();
    await eventually("a first line", () => server.first);
    server.welcome({ web: base });
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
    await begin({ authorization: "token a:b" });
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
    await begin({}, `http://127.0.0.1:${String(port).slice(0, -1)}`);
    for (const where of [`@localhost:${elsewhere.address().port}/steal`, `${String(port).at(-1)}/x`])
        assert.match((await ask(where)).error, /(@localhost:\d+\/steal|\d\/x) is no path of the site/);
    assert.deepEqual(seen, []);
});

test("a request that takes too long, or is not wanted any more, fails as a fetch does", async () => {
    const silent = http.createServer(() => {});
    await once(silent.listen(0, "127.0.0.1"), "listening");
    const where = `http://127.0.0.1:${silent.address().port}/x`;
    const known = new Web(
        (question, answer) => answer({ secret: null }),
        () => {},
    );
    known.configure({ web: new URL(where).origin });
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
    await begin();
    server.secret = { secret: null, error: "redis" };
    assert.equal((await ask("/x")).ok, true);
    assert.equal((await ask("/x")).ok, true);
    assert.equal(seen[0].headers["x-frappe-socket-secret"], undefined);
    await host.says("requests go without socketio_auth_secret");
    assert.equal(host.output.match(/requests go without/g).length, 1);
});

test("a web process that is away is the app's error", async () => {
    await begin({}, "http://127.0.0.1:1");
    assert.match((await ask("/x")).error, /ECONNREFUSED/);
});

test("where the web process is may change, from the next request on", async () => {
    await begin();
    await ask("/x");
    server.tell({ op: "config", web: `http://127.0.0.1:${elsewhere.address().port}`, threads: 4 });
    await ask("/y");
    assert.deepEqual(
        seen.map(({ at, url }) => [at, url]),
        [
            [web, "/x"],
            [elsewhere, "/y"],
        ],
    );
});

test("a host reads none of the bench's configuration", async () => {
    bench = await Bench.make({ apps: { one: ASKS } });
    for (const file of ["config.json", "sites/common_site_config.json"]) await bench.write(file, "{");
    server = await FakeServer.start(bench.socket);
    host = bench.host({ env: { FRAPPE_REDIS_QUEUE: "redis://127.0.0.1:1" } });
    await eventually("a first line", () => server.first);
    server.welcome({ web: `http://127.0.0.1:${port}` });
    server.connect(S);
    assert.equal((await ask("/x")).ok, true);
    assert.equal(server.secrets, 1);
});
