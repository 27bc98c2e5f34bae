// The socket object that apps get from the JavaScript handler host, beyond emitting and listening.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Alone } from "./handlers_support.mjs";
import { SITE } from "./support.mjs";

const NS = `/${SITE}`;
let alone, server, host;

async function begin(...options) {
    alone = await Alone.begin(...options);
    ({ server, host } = alone);
}

afterEach(() => alone.end());

const handlers = (body) => `module.exports = function (socket) { ${body} };`;

test("rooms with numbers for names, and the adapter's own events", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.nsp.adapter.once("create-room", () => { throw new Error("a bad listener") });
        for (const event of ["create-room", "join-room", "leave-room", "delete-room"])
            socket.nsp.adapter.on(event, (...args) => socket.nsp.emit("adapter", event, ...args));
        socket.join(5);
        socket.join("5");
        socket.emit("has", socket.rooms.has(5), socket.rooms.has("5"), socket.nsp.adapter.rooms.get(5).size);
        socket.leave(5);
        socket.on("look", (reply) => reply());`),
        },
    });
    const s = "socket-0000000000001";
    server.connect(s);
    assert.deepEqual((await server.next("has")).a, [true, true, 1]);
    await server.next("leave");
    server.tell({ op: "join", s, r: "all" }, { op: "leave", s, r: "nowhere" }); // it is so already
    server.event(s, "look", [], { i: 1 });
    await server.next("ack");
    assert.deepEqual(
        server.heard.filter((m) => m.e === "adapter").map((m) => m.a),
        [
            ["create-room", "5"],
            ["join-room", "5", s],
            ["leave-room", "5", s],
            ["delete-room", "5"],
        ],
    );
    await host.says("create-room: Error: a bad listener");
});

test("an app may put its own broadcast in place of the adapter's", async () => {
    await begin({
        apps: {
            one: handlers(`
        const { adapter } = socket.nsp, broadcast = adapter.broadcast.bind(adapter);
        adapter.broadcast = (packet, { rooms, except, flags }) => {
            socket.emit("seen", packet, [...rooms], [...except], flags);
            broadcast(packet, { rooms: new Set([socket.id]), except: new Set(), flags });
        };
        socket.on("go", () => socket.to(["a", "b"]).except("c").volatile.emit("x", 1));`),
        },
    });
    const s = "socket-0000000000001";
    server.connect(s);
    server.event(s, "go");
    const packet = { type: 2, nsp: NS, data: ["x", 1] };
    assert.deepEqual((await server.next("seen")).a, [packet, ["a", "b"], [s, "c"], { volatile: true }]);
    assert.deepEqual(await server.next("x"), { op: "emit", ns: NS, r: [s], v: true, e: "x", a: [1] });
});

test("has_permission resolves only when the server says so", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("may", (name) => socket.has_permission("Note", name).then(() => socket.emit("yes", name)));`),
        },
    });
    server.connect("socket-0000000000001");
    for (const [name, ok] of [
        ["a", false],
        ["b", null],
        [3, true],
    ]) {
        server.event("socket-0000000000001", "may", [name]);
        const { q, ...question } = await server.next("permission");
        assert.deepEqual(question, {
            op: "permission",
            s: "socket-0000000000001",
            doctype: "Note",
            name: String(name),
        });
        server.tell({ op: "result", q, ok });
    }
    assert.deepEqual((await server.next("yes")).a, [3]);
    assert.deepEqual(server.heard, []);
});

test("an app that disconnects a socket sees its end at once, and only once", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("end", (close) => { socket.disconnect(close); socket.join("late"); socket.emit("late"); });
        socket.on("disconnect", (reason) => socket.nsp.emit("ended", reason));`),
        },
    });
    const s = "socket-0000000000001";
    server.connect(s);
    server.event(s, "end", [true]);
    assert.deepEqual(await server.next("disconnect"), { op: "disconnect", s, close: true });
    assert.deepEqual((await server.next("ended")).a, ["server namespace disconnect"]);
    server.tell({ op: "disconnect", s, reason: "forced close" });
    server.connect(s);
    server.event(s, "end", [false]);
    assert.equal((await server.next("disconnect")).close, false);
    await server.next("ended");
    assert.deepEqual(server.heard, []);
});

test("events that only socket.io itself may name are no client's", async () => {
    await begin({
        apps: {
            one: handlers(`
        for (const event of ["disconnect", "disconnecting", "error", "__proto__"])
            socket.on(event, () => socket.emit("heard", event));`),
        },
    });
    server.connect("socket-0000000000001");
    for (const event of ["disconnect", "disconnecting", "newListener", "error", "__proto__"])
        server.event("socket-0000000000001", event);
    await server.next((message) => message.a?.[0] === "__proto__");
    assert.deepEqual(
        server.heard.map(({ a }) => a[0]),
        ["error"],
    );
});

test("what an app does to many sockets at once", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("go", async () => {
            const ids = async (operator) => (await operator.fetchSockets()).map(({ id }) => id.at(-1));
            socket.nsp.in("odd").except("other").socketsJoin(["new", "newer"]);
            socket.nsp.in("newer").socketsLeave("newer");
            socket.emit("sockets", await ids(socket.nsp.in("new")), await ids(socket.nsp),
                await ids(socket.to("odd")), [...await socket.nsp.in("odd").allSockets()].length,
                socket.nsp.adapter.rooms.has("newer"));
            socket.nsp.in("new").disconnectSockets(true);
        });
        socket.on("end", (...args) => socket.nsp.disconnectSockets(...args));`),
        },
    });
    const s = (n) => `socket-000000000000${n}`;
    for (const [n, rooms] of [
        [1, ["odd"]],
        [2, []],
        [3, ["odd", "other"]],
        [5, ["odd"]],
    ])
        server.connect(s(n), { rooms });
    server.event(s(1), "go");
    const { a } = await server.next("sockets");
    assert.deepEqual(a, [["1", "5"], ["1", "2", "3", "5"], ["3", "5"], 3, false]);
    assert.deepEqual(
        [await server.next("disconnect"), await server.next("disconnect")],
        [1, 5].map((n) => ({ op: "disconnect", s: s(n), close: true })),
    );
    assert.deepEqual(
        server.heard.map(({ op, s: id, r }) => [op, id, r]),
        [1, 5]
            .flatMap((n) => ["new", "newer"].map((room) => ["join", s(n), room]))
            .concat([1, 5].map((n) => ["leave", s(n), "newer"])),
    );
    server.event(s(2), "end");
    assert.deepEqual(
        [await server.next("disconnect"), await server.next("disconnect")],
        [2, 3].map((n) => ({ op: "disconnect", s: s(n), close: false })),
    );
    server.connect(s(4));
    server.event(s(4), "end", [true]);
    assert.deepEqual(await server.next("disconnect"), { op: "disconnect", s: s(4), close: true });
});

test("middleware, onAny, once and off are socket.io's", async () => {
    await begin({
        apps: {
            one: handlers(`
        const seen = [];
        socket.use(([event], next) => next(event === "no" ? new Error("not that") : undefined));
        socket.onAny((event) => seen.push("any " + event));
        socket.once("x", () => seen.push("once"));
        const off = () => seen.push("never");
        socket.on("x", off).off("x", off);
        socket.on("error", (error) => seen.push(error.message));
        socket.on("report", () => socket.emit("seen", seen));`),
        },
    });
    server.connect("socket-0000000000001");
    for (const event of ["x", "no", "x", "report"]) server.event("socket-0000000000001", event);
    assert.deepEqual((await server.next("seen")).a[0], [
        "any x",
        "once",
        "any no",
        "not that",
        "any x",
        "any report",
    ]);
});

test("what an app is told of its client", async () => {
    await begin({
        apps: {
            one: handlers(`
        const { user, user_type, installed_apps, sid, authorization_header, site_name, connected, recovered } = socket;
        socket.emit("told", { user, user_type, installed_apps, sid, authorization_header, site_name, connected,
            recovered, nsp: socket.nsp.name, query: socket.handshake.query, origin: socket.handshake.headers.origin,
            request: socket.request.headers.origin, auth: socket.handshake.auth, buffered: socket.conn.writeBuffer.length });`),
        },
    });
    server.connect("socket-0000000000001", {
        query: { link: "l" },
        auth: { token: 1 },
        apps: ["frappe", "one"],
        authorization: "token a:b",
    });
    const told = (await server.next("told")).a[0];
    assert.deepEqual(told, {
        user: "ada",
        user_type: "System User",
        installed_apps: ["frappe", "one"],
        sid: "socket-0000000000001-sid",
        authorization_header: "token a:b",
        site_name: SITE,
        connected: true,
        recovered: false,
        nsp: NS,
        query: { link: "l" },
        origin: "http://127.0.0.1",
        request: "http://127.0.0.1",
        auth: { token: 1 },
        buffered: 0,
    });
    server.connect("socket-0000000000002", {
        headers: undefined,
        query: undefined,
        auth: undefined,
        again: true,
        apps: null,
    });
    const again = (await server.next("told")).a[0];
    assert.deepEqual(
        [again.recovered, again.origin, again.query, again.auth, again.installed_apps],
        [true, `http://${SITE}`, {}, {}, ["frappe", "one"]],
    );
    server.connect("socket-0000000000003", {
        headers: undefined,
        query: { link: "l" },
        auth: { token: 1 },
        again: true,
    });
    const kept = (await server.next("told")).a[0];
    assert.deepEqual(
        [kept.recovered, kept.origin, kept.query, kept.auth],
        [true, `http://${SITE}`, { link: "l" }, { token: 1 }],
    );
});

test("an app can look at where its client is, by the socket, its request or its connection", async () => {
    await begin({
        apps: {
            one: handlers(`
        const { handshake, request, conn, client, sid, authorization_header } = socket;
        const { address, xdomain, secure } = handshake;
        socket.emit("told", [address, xdomain, secure, conn.transport.name], [request.connection, request.socket,
            conn, client.conn, conn.request.connection].every(({ remoteAddress }) => remoteAddress === address),
            sid === undefined, authorization_header === undefined);`),
        },
    });
    const origin = "https://one.example.com";
    for (const [headers, query, expected] of [
        [{ "x-real-ip": "10.0.0.1", "x-forwarded-for": "no" }, { transport: "polling" }, ["10.0.0.1", false, false, "polling"]],
        [{ "x-forwarded-for": "10.0.0.2 , 10.0.0.3", origin }, {}, ["10.0.0.2", true, true, "websocket"]],
        [{ origin: "http://x" }, { transport: "websocket" }, ["127.0.0.1", true, false, "websocket"]],
    ]) {
        const s = `socket-000000000000${expected[0]}`;
        server.connect(s, { headers, query, sid: null, authorization: null });
        assert.deepEqual((await server.next("told")).a, [expected, true, true, true]);
    }
});
