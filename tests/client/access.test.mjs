// Who may connect, and what happens while the web process cannot say.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { InProcess, TRANSPORTS, eventually, next, record, sleep, withHeaders, within } from "./support.mjs";

let server;
before(async () => (server = await InProcess.start({ frappe_rt_cache_ms: 0, frappe_rt_auth_patience_ms: 3000 })));
after(() => server.close());
afterEach(async () => {
    server.closeClients();
    await server.ask("web_set", { mood: "good", generation: "v16" });
    await server.ask("questions");
});

for (const [name, options] of Object.entries(TRANSPORTS)) {
    test(`refusals, ${name}`, async () => {
        assert.match(await server.refusal("ada", { ...options, site: "wrong.localhost" }), /^Invalid namespace/);
        assert.match(await server.refusal("ada", { ...options, site: "" }), /^Invalid namespace/);
        const elsewhere = { ...options, headers: { origin: "http://evil.example" } };
        assert.match(await server.refusal("ada", elsewhere), /^Invalid origin/);
        assert.match(await server.refusal(null, options), /^Missing cookie and authorization header/);
        const otherCookie = { ...options, headers: { cookie: "theme=dark" } };
        assert.match(await server.refusal(null, otherCookie), /^No authentication method used/);
        assert.match(await server.refusal("unknown", options), /^Unauthorized/);
    });
}

test("after a refusal the connection is good for another CONNECT", async () => {
    const Socket = withHeaders({ cookie: "sid=ada" });
    const socket = new Socket(`${server.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const packets = [];
    socket.on("message", (data) => packets.push(String(data)));
    const packet = async () => (await eventually("a packet", () => packets.length)) && packets.shift();
    assert.match(await packet(), /^0\{/);
    socket.send("40/wrong.localhost,");
    assert.match(await packet(), /^44\/wrong\.localhost,\{"message":"Invalid namespace/);
    socket.send("40/one.localhost,");
    assert.match(await packet(), /^40\/one\.localhost,\{"sid":"[^"]+"\}$/);
    socket.close();
});

test("a guest is on the website, and not among the system users", async () => {
    const events = record(await server.join("Guest"));
    await server.publish({ event: "all" });
    await server.publish({ event: "guests", user: "Guest" });
    await server.publish({ event: "website", room: "website" });
    assert.deepEqual(await events.take(2), [["guests", {}], ["website", {}]]);
});

test("a token is as good as a cookie, and wins over a guest's", async () => {
    const headers = { authorization: "token key:secret" };
    for (const sid of [null, "Guest"]) {
        const events = record(await server.join(sid, { headers }));
        await server.publish({ event: "mine", user: "ada@example.com" });
        assert.deepEqual(await events.take(1), [["mine", {}]]);
    }
    const asked = await server.ask("questions");
    assert.deepEqual(asked.map(({ headers }) => headers.authorization), Array(2).fill(headers.authorization));
});

test("a missing origin is let through, origin null is not", async () => {
    await server.join("ada", { headers: { origin: undefined } });
    assert.match(await server.refusal("ada", { headers: { origin: "null" } }), /^Invalid origin/);
});

test("the web process is asked for the site, with the cookie of the client and nothing else", async () => {
    await server.join("ada", { headers: { cookie: "theme=dark; sid=ada; full_name=Ada" } });
    const [{ method, headers }] = await server.ask("questions");
    assert.equal(method, "get_user_info");
    assert.equal(headers["x-frappe-site-name"], "one.localhost");
    assert.equal(headers.host, "one.localhost");
    assert.equal(headers.cookie, "sid=ada");
});

for (const generation of ["v15", "v16"]) {
    test(`permissions are asked for, ${generation}`, async () => {
        await server.ask("web_set", { generation });
        const ada = await server.join("ada");
        const events = record(ada, ["pong"]);
        ada.emit("doctype_subscribe", "Secret");
        ada.emit("doc_subscribe", "Secret", "S-1");
        ada.emit("doctype_subscribe", "ToDo");
        ada.emit("doc_subscribe", "ToDo", 7);
        for (const end = Date.now() + 5000; events.length < 2 && Date.now() < end; await sleep(50)) {
            events.splice(0);
            await server.publish({ event: "list_update", message: { doctype: "Secret" } });
            await server.publish({ event: "doc", doctype: "Secret", docname: "S-1" });
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await server.publish({ event: "doc", doctype: "ToDo", docname: 7 });
            ada.emit("ping");
            await next(ada, "pong");
        }
        assert.deepEqual(events.splice(0), [["list_update", { doctype: "ToDo" }], ["doc", {}]]);
    });
}

test("while the web process is away a connection waits, and gets in when it comes back", async () => {
    await server.ask("web_go");
    const client = server.connect("ada");
    const refused = [];
    client.on("connect_error", (error) => refused.push(error.message));
    await sleep(700);
    assert.equal(client.connected, false);
    const connected = next(client, "connect");
    await server.ask("web_come");
    await connected;
    assert.deepEqual(refused, []);
});

test("a web process that breaks is no refusal either", async () => {
    await server.ask("web_set", { mood: "broken" });
    const client = server.connect("ada");
    client.on("connect_error", ({ message }) => assert.fail(message));
    await sleep(500);
    const connected = next(client, "connect");
    await server.ask("web_set", { mood: "good" });
    await connected;
});

test("after a while the transport is dropped, so that the client comes back by itself", async () => {
    await server.ask("web_go");
    const client = server.connect("ada", { reconnection: true, reconnectionDelay: 100 });
    const dropped = new Promise((done) => client.io.once("close", done));
    const connected = new Promise((done) => client.once("connect", done));
    await within("the transport's end", dropped, 6000);
    await server.ask("web_come");
    await within("connect", connected, 6000);
});
