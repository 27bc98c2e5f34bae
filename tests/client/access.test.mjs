// Who may connect, as whom, to which rooms, before a web process of each generation of Frappe; and
// what happens while the web process cannot say.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { GENERATIONS, Generation, openDesk } from "./generations.mjs";
import {
    PATIENCE_MS, Redis, TRANSPORTS, eventually, next, record, sleep, withHeaders, within,
} from "./support.mjs";

const ADA = "ada@example.com", CUSTOMER = "customer@example.com";
const TOKEN = { authorization: "token key:secret" };

// Side by side: most of the time is waiting.
describe("access", { concurrency: true }, () => GENERATIONS.forEach((generation) => describe(generation, { concurrency: 1 }, () => {
    let server;
    before(async () => (server = await Generation.start(generation, {
        frappe_rt_cache_ms: 0, frappe_rt_auth_patience_ms: PATIENCE_MS, frappe_rt_web_timeout_ms: PATIENCE_MS,
    })));
    after(() => server.close());
    afterEach(() => server.calm());

    // --- who gets in ---

    for (const [name, options] of Object.entries(TRANSPORTS)) {
        test(`refusals, ${name}`, async () => {
            const refusal = (sid, more) => server.refusal(sid, { ...options, ...more });
            assert.match(await refusal("ada", { site: "wrong.localhost" }), /^Invalid namespace/);
            assert.match(await refusal("ada", { site: "" }), /^Invalid namespace/);
            assert.match(
                await refusal("ada", { headers: { origin: "http://evil.example" } }),
                /^Invalid origin: page http:\/\/evil\.example, server 127\.0\.0\.1 \(see socketio_allowed_origins\)$/,
            );
            assert.match(await refusal("ada", { headers: { origin: "null" } }), /^Invalid origin/);
            assert.match(await refusal(null), /^Missing cookie and authorization header/);
            assert.match(await refusal(null, { headers: { cookie: "theme=dark" } }), /^No authentication method used/);
            assert.equal(await refusal("disabled"), "Unauthorized");
            for (const authorization of ["token key:wrong", "Bearer expired", "Basic ?"])
                assert.equal(await refusal("ada", { headers: { authorization } }), "Unauthorized");
        });
    }

    // A token tells an old v15 nothing about the type of the user, so that he is not in `all`.
    const system = generation !== "old v15";
    const matrix = [
        ["a session", "ada", {}, ADA, true],
        ["a session of a website user", "customer", {}, CUSTOMER, false],
        ["a guest", "Guest", {}, "Guest", false],
        ["an expired session", "expired", {}, "Guest", false],
        ["a token", null, TOKEN, ADA, system],
        ["basic", null, { authorization: "Basic a2V5OnNlY3JldA==" }, ADA, system],
        ["bearer", null, { authorization: "Bearer good" }, ADA, system],
        ["a token of a website user", null, { authorization: "token customer:secret" }, CUSTOMER, false],
        ["a token and a guest's cookie", "Guest", TOKEN, ADA, system],
        ["a token and an expired cookie", "expired", TOKEN, ADA, system],
        ["a token and somebody else's cookie", "grace", TOKEN, ADA, system],
        ["a word that is no token", null, { authorization: "word" }, "Guest", false],
    ];
    for (const [name, sid, headers, user, all] of matrix) {
        test(`${name} is ${user}${all ? ", a system user" : ""}`, async () => {
            const events = record(await server.join(sid, { headers }));
            await server.publish({ event: "all" });
            for (const one of [ADA, "grace@example.com", CUSTOMER, "Guest"])
                await server.publish({ event: one, user: one });
            await server.publish({ event: "website", room: "website" });
            const wanted = [...(all ? [["all", {}]] : []), [user, {}], ["website", {}]];
            assert.deepEqual(await events.take(wanted.length), wanted);
        });
    }

    test("a missing origin is let through", async () => {
        for (const transport of Object.values(TRANSPORTS))
            await server.join("ada", { ...transport, headers: { origin: undefined } });
        const headers = { origin: undefined, "sec-fetch-site": "cross-site" };
        assert.match(await server.refusal("ada", { headers }), /^Invalid origin: page without Origin/);
        await server.join(null, { headers: { ...headers, ...TOKEN } });
    });

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
        const accepted = await packet();
        assert.match(accepted, /^40\/one\.localhost,\{"sid":"[^"]+"\}$/);
        socket.send("40/one.localhost,"); // a second one is answered again
        assert.equal(await packet(), accepted);
        socket.close();
    });

    // --- what is asked ---

    test("the web process is asked for the site, with the client's credential and nothing else", async () => {
        await server.join("ada", { headers: { cookie: "theme=dark; sid=ada; full_name=Ada" } });
        await server.join("Guest", { headers: TOKEN });
        const asked = (await server.ask("questions")).filter(({ headers }, n, all) =>
            generation !== "develop" || n === all.length - 1 || headers["x-frappe-socket-secret"]);
        assert.deepEqual(asked.map(({ method }) => method), ["get_user_info", "get_user_info"]);
        for (const { headers } of asked) {
            assert.equal(headers["x-frappe-site-name"], "one.localhost");
            assert.equal(headers.host, "one.localhost");
            assert.equal(headers.origin, undefined);
        }
        assert.equal(asked[0].headers.cookie, "sid=ada");
        assert.equal(asked[0].headers.authorization, undefined);
        assert.equal(asked[1].headers.cookie, undefined);
        assert.equal(asked[1].headers.authorization, TOKEN.authorization);
    });

    test("the secret is read from Redis, and again when it has changed", async () => {
        await server.join("ada");
        await server.redis.call("SET", "socketio_auth_secret", "another");
        await server.ask("questions");
        await server.join("grace");
        const secrets = (await server.ask("questions")).map(({ headers }) => headers["x-frappe-socket-secret"]);
        if (generation === "develop") {
            assert.equal(secrets.length, 2); // the old one, then the new one
            assert.equal(secrets[1], "another");
        } else {
            assert.equal(secrets.length, 1);
        }
    });

    // --- permissions ---

    test("permissions are asked for, by the methods that this generation has", async () => {
        const ada = await server.join("ada");
        const events = record(ada, ["pong"]);
        ada.emit("doctype_subscribe", "Secret");
        ada.emit("doc_subscribe", "Secret", "S-1");
        ada.emit("doc_subscribe", "ToDo", "missing");
        ada.emit("doctype_subscribe", "ToDo");
        ada.emit("doc_subscribe", "ToDo", 7);
        for (const end = Date.now() + PATIENCE_MS; events.length < 2 && Date.now() < end; await sleep(50)) {
            events.splice(0);
            await server.publish({ event: "list_update", message: { doctype: "Secret" } });
            await server.publish({ event: "doc", doctype: "Secret", docname: "S-1" });
            await server.publish({ event: "missing", doctype: "ToDo", docname: "missing" });
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await server.publish({ event: "doc", doctype: "ToDo", docname: 7 });
            ada.emit("ping");
            await next(ada, "pong");
        }
        assert.deepEqual(events.splice(0), [["list_update", { doctype: "ToDo" }], ["doc", {}]]);
        const methods = new Set((await server.ask("questions")).map(({ method }) => method));
        const own = generation.endsWith("v15") ? ["can_subscribe_doctype", "can_subscribe_doc"] : ["has_permission"];
        for (const method of own) assert.ok(methods.has(method), method);
    });

    test("a guest sees what guests may see", async () => {
        const guest = await server.join("Guest");
        const events = record(guest);
        guest.emit("doctype_subscribe", "ToDo");
        guest.emit("doctype_subscribe", "Blog Post");
        guest.emit("task_subscribe", "job");
        await eventually("the list", async () => {
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await server.publish({ event: "list_update", message: { doctype: "Blog Post" } });
            await sleep(20);
            return events.length;
        });
        await server.publish({ event: "progress", task_id: "job" });
        await eventually("the job", () => events.at(-1)[0] === "progress");
        assert.ok(events.every(([event, { doctype }]) => event === "progress" || doctype === "Blog Post"));
    });

    // --- the client that Frappe has ---

    test("what a page wants before it is connected, and again after a restart of the server", async () => {
        const wanted = [["doctype_subscribe", "ToDo"], ["doc_subscribe", "ToDo", "T-1"], ["task_subscribe", "job"]];
        const desk = openDesk(server, "ada", wanted);
        const events = record(desk);
        const all = async () => {
            events.splice(0);
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await server.publish({ event: "doc_update", doctype: "ToDo", docname: "T-1" });
            await server.publish({ event: "progress", task_id: "job" });
            await server.publish({ event: "msgprint", message: "hello", user: ADA });
            await eventually("the last", () => events.some(([event]) => event === "msgprint"));
            return events.length === 4;
        };
        await next(desk, "connect");
        await eventually("all events", all);
        const transport = desk.io.engine.transport.name;
        assert.ok(["polling", "websocket"].includes(transport));
        await eventually("the upgrade", () => desk.io.engine.transport.name === "websocket");
        const back = next(desk, "connect");
        await server.restart();
        await back;
        await eventually("all events again", all);
    });

    test("who goes too far is told so, and keeps his connection", async () => {
        const desk = openDesk(server, "ada");
        await next(desk, "connect");
        const told = record(desk, ["pong"]);
        await eventually("the word about it", () => { // faster than credit comes, on any machine
            for (let n = 0; n < 600; n++) desk.emit("ping");
            return told.length;
        });
        const [event, { limit }] = told[0];
        assert.deepEqual([event, limit], ["frappe_rt_limit", "events_per_second"]);
        let pongs = 0;
        desk.on("pong", () => pongs++);
        await eventually("credit again", () => pongs || (desk.emit("ping"), false));
        assert.equal(desk.connected, true);
        const { engineio, frappe } = await server.ask("stats");
        assert.ok(engineio.packets_paced > 0 && frappe.limits_told > 0);
    });

    // --- the web process is out of order ---

    const moods = ["asleep", "broken", "stopped", "html", "elsewhere", "junk", "hanging_up"];
    const why = {
        asleep: /^no answer for \d+ s$/, broken: /^HTTP 500$/, stopped: /^HTTP 503$/, html: /not Frappe's JSON/, elsewhere: /^HTTP 302$/,
        junk: /too large/, hanging_up: /./,
    };
    for (const mood of moods) {
        test(`a web process that is ${mood} refuses nobody`, async (t) => {
            if (mood === "asleep") {
                await server.restart({ frappe_rt_web_timeout_ms: 1000 });
                t.after(() => server.restart());
            }
            await server.ask("web_set", { mood });
            const client = server.connect("ada");
            client.on("connect_error", ({ message }) => assert.fail(message));
            const waiting = await eventually("the figures", async () => {
                const { waiting_sites } = await server.ask("stats");
                return waiting_sites["one.localhost"];
            });
            assert.equal(waiting.for, "get_user_info");
            assert.match(waiting.why, why[mood]);
            assert.equal(client.connected, false);
            const connected = next(client, "connect");
            await server.ask("web_set", { mood: "good" });
            await connected;
            assert.deepEqual((await server.ask("stats")).waiting_sites, {});
        });
    }

    test("slow answers and redirects on the same host are answers", async () => {
        await server.ask("web_set", { delay: 0.5 });
        await server.join("ada");
        await server.ask("web_set", { delay: 0 });
        await server.ask("web_set", { mood: "detouring" });
        await server.join("grace");
    });

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

    test("after a while the transport is dropped, so that the client comes back by itself", async (t) => {
        await server.restart({ frappe_rt_auth_patience_ms: 3000 });
        t.after(() => server.restart());
        await server.ask("web_go");
        const desk = openDesk(server, "ada", [], { reconnectionDelay: 100 });
        desk.on("connect_error", ({ message }) => assert.doesNotMatch(message, /Unauthorized|Invalid/));
        const dropped = new Promise((done) => desk.io.once("close", done));
        const connected = new Promise((done) => desk.once("connect", done));
        await within("the transport's end", dropped);
        await server.ask("web_come");
        await within("connect", connected);
    });

    test("without Redis nobody is refused; who needs no secret gets in, the others when it is back", async () => {
        const { port } = server.redis;
        await server.redis.close();
        await server.restart();
        const desk = openDesk(server, "ada", [], { reconnectionDelay: 100 });
        desk.on("connect_error", ({ message }) => assert.doesNotMatch(message, /Unauthorized|Invalid/));
        const connected = new Promise((done) => desk.once("connect", done));
        if (generation === "develop")
            await eventually("the figures", async () => (await server.ask("stats")).waiting_sites["one.localhost"]);
        else
            await within("connect", connected);
        assert.equal(desk.connected, generation !== "develop");
        server.redis = await Redis.start(port);
        await within("connect", connected);
        await eventually("Redis", async () => (await server.ask("stats")).redis_subscribed);
    });

    test("a page keeps its connection when a permission cannot be asked for", async () => {
        const ada = await server.join("ada");
        const events = record(ada);
        await server.ask("web_set", { mood: "broken" });
        ada.emit("doctype_subscribe", "ToDo");
        await eventually("a try", async () => (await server.ask("stats")).waiting_sites["one.localhost"]);
        await server.ask("web_set", { mood: "good" });
        await eventually("the list", async () => {
            await server.publish({ event: "list_update", message: { doctype: "ToDo" } });
            await sleep(20);
            return events.length;
        });
        assert.equal(ada.connected, true);
    });
})));
