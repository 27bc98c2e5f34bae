// How apps listen in the JavaScript handler host, which must be socket.io's way in every detail that
// an app can see: npm's own is asked where it can be.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { afterEach, test } from "node:test";
import { Namespace, Server, Socket as Theirs } from "socket.io";
import { io as connect } from "socket.io-client";
import { Alone } from "./handlers_support.mjs";
import { eventually, next, within } from "./support.mjs";

const require = createRequire(import.meta.url);
const { SERVER_EVENTS, Socket: Ours } = require("../../frappe_rt/handlers/node/socket.js");
const { Mirror } = require("../../frappe_rt/handlers/node/mirror.js");
const OWN_EVENTS = [...SERVER_EVENTS];
const S = "socket-0000000000001";
let alone, server, host;

async function begin(...options) {
    alone = await Alone.begin(...options);
    ({ server, host } = alone);
}

afterEach(async () => {
    await alone?.end();
    alone = undefined;
});

const handlers = (body) => `module.exports = function (socket) { ${body} };`;

/** What belongs to npm's own parts alone: they are marked private in its types. */
const INTERNAL = new Set([
    ...["ack", "buildHandshake", "dispatch", "emitReserved", "emitUntyped", "leaveAll"],
    ...["newBroadcastOperator", "notifyOutgoingListeners", "onack", "ondisconnect", "onevent"],
    ...["packet", "registerAckCallback", "run"],
]);
/** A site's own: who comes in is the server's to say, and there is one server. */
const ELSEWHERE = ["serverSideEmit", "serverSideEmitWithAck", "use"];

function missing(theirs, ours) {
    const names = Object.getOwnPropertyNames(theirs);
    return names.filter((name) => !(name in ours || name.startsWith("_") || INTERNAL.has(name)));
}

test("socket and namespace have what socket.io's have", () => {
    assert.deepEqual(missing(Theirs.prototype, Ours.prototype), ["request"]); // its own property
    const namespace = new Mirror({}).namespace("/one.localhost");
    assert.deepEqual(missing(Namespace.prototype, namespace).sort(), ELSEWHERE);
});

/** What an app does with a socket, and reports. */
const LISTENS = `
    const seen = [], hear = (name) => function (...args) {
        seen.push([name, this === socket, ...args.filter((arg) => typeof arg !== "function")]);
        if (typeof args.at(-1) === "function" && args[0] !== "report") args.at(-1)();
    };
    const gone = hear("gone"), twice = hear("twice");
    const chained = socket
        .on("x", hear("on")).addListener("x", hear("addListener"))
        .prependListener("x", hear("prepended")).prependOnceListener("x", hear("prepended once"))
        .once("x", hear("once")).on("x", gone).off("x", gone).on("x", gone).removeListener("x", gone)
        .onAny(hear("any")).onAny(gone).prependAny(hear("any, prepended")).offAny(gone)
        .onAnyOutgoing(hear("out")).prependAnyOutgoing(hear("out, prepended"))
        .onAnyOutgoing(gone).offAnyOutgoing(gone)
        .use((packet, next) => { hear("first").call(socket, ...packet); next(); })
        .use((packet, next) => { hear("second").call(socket, ...packet); next(); });
    seen.push(["chained", chained === socket, socket.listenersAny().length, socket.listenersAnyOutgoing().length]);
    socket.on("report", (reply) => {
        socket.emit("told", "to the client");
        seen.push(["all off", socket.offAny().offAnyOutgoing() === socket,
            socket.listenersAny().length, socket.listenersAnyOutgoing().length]);
        socket.emit("unheard");
        reply(seen);
    });`;

/** What the app of that body answers a second client's `report`, after those events; under npm's ... */
async function reportOfTheirs(body, events = []) {
    const io = new Server(0);
    io.on("connection", new Function("socket", body));
    await once(io.httpServer, "listening");
    const url = `http://127.0.0.1:${io.httpServer.address().port}`;
    const first = connect(url, { forceNew: true });
    await next(first, "connect");
    first.close();
    const client = connect(url, { forceNew: true });
    // One at a time: theirs has listeners wait for the next turn.
    for (const event of events) await within(event, client.emitWithAck(...event));
    const report = await within("the report", client.emitWithAck("report"));
    client.close();
    await new Promise((done) => io.close(done));
    return report;
}

/** ... and here. */
async function reportOfOurs(body, events = []) {
    await begin({ apps: { one: handlers(body) } });
    server.connect("socket-0000000000000", { rooms: [], headers: {} });
    server.connect(S, { rooms: [], headers: {} });
    for (const [event, ...args] of [...events, ["report"]]) {
        server.event(S, event, args, { i: 0 });
        if (event !== "report") await server.next("ack");
    }
    return (await server.next("ack")).a[0];
}

test("listeners are called in socket.io's order, with the socket as this", async () => {
    const events = [["x", 1], ["x", 2], ["y"]];
    const seen = await reportOfOurs(LISTENS, events);
    assert.ok(seen.length > 20);
    assert.deepEqual(seen, await reportOfTheirs(LISTENS, events));
});

/** What each call gives back, before and after the socket's end. */
const RETURNS = `
    const { nsp } = socket, operator = nsp.to("x");
    const kind = (value) => value === socket ? "the socket" : value === nsp ? "the namespace"
        : value === nsp.adapter ? "the adapter" : value === nsp.server ? "the server"
        : value === operator ? "the operator" : value?.constructor === operator.constructor ? "an operator"
        : value instanceof Promise ? "a promise" : value instanceof Set ? ["a set", value.size]
        : typeof value === "object" ? "an object" : typeof value === "function" ? "a function" : String(value);
    const look = () => [
        socket.emit("x"), socket.send("x"), socket.write("x"), socket.compress(true).volatile.emit("x"),
        socket.volatile, socket.timeout(9), socket.compress(false), socket.emit("x"),
        socket.to("x"), socket.in("x"), socket.except("x"), socket.broadcast, socket.local,
        socket.to("x").emit("x"), socket.to("x").except("y").in("z").volatile.local.compress(true).timeout(9),
        socket.join("x"), socket.join(["y", "z"]), socket.rooms, socket.leave("y"), socket.rooms,
        socket.adapter, socket.server, socket.nsp, nsp.server.of(nsp.name), typeof nsp.server, socket.data, socket.connected, socket.disconnected,
        socket.conn.id === socket.client.conn.id, socket.conn === socket.conn, socket.conn.protocol,
        socket.request === socket.client.request, socket.request.method,
        nsp.emit("x"), nsp.send("x"), nsp.write("x"), nsp.to("x"), nsp.in("x"), nsp.except("x"),
        nsp.timeout(9), nsp.volatile, nsp.local, nsp.compress(true), nsp.fetchSockets(), nsp.allSockets(),
        nsp.socketsJoin("w"), nsp.adapter.rooms.get("w"), nsp.socketsLeave(["w"]), nsp.adapter.rooms.get("w"),
        nsp.sockets.get(socket.id), nsp.adapter.sids.get(socket.id),
        operator.emit("x"), operator.fetchSockets(), operator.allSockets(),
        operator.socketsJoin("v"), operator.socketsLeave("v"),
    ].map(kind);
    const handshake = Object.entries(socket.handshake).map(([key, value]) => [key, typeof value]).sort();
    if (!nsp.seen) {
        const reasons = [];
        socket.on("disconnect", (reason) => reasons.push(reason, socket.connected));
        nsp.seen = [look(), handshake, kind(socket.disconnect()), kind(socket.disconnect(true)), look(), reasons];
    }
    socket.on("report", (reply) => reply(nsp.seen));`;

test("each call gives back what socket.io's does", async () => {
    assert.deepEqual(await reportOfOurs(RETURNS), await reportOfTheirs(RETURNS));
});

test("middleware may take its time, and refuse", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.use(([event], next) => setTimeout(next, 0, event === "no" && new Error("refused")));
        socket.on("no", () => socket.emit("never"));
        socket.on("yes", (reply) => reply());
        socket.on("end", () => socket.emit("never"));`),
        },
    });
    server.connect(S);
    server.event(S, "no");
    await host.says("app one, middleware, without a listener of error: Error: refused");
    server.event(S, "yes", [], { i: 1 });
    await server.next("ack");
    server.event(S, "end");
    server.tell({ op: "disconnect", s: S, reason: "transport close" });
    server.connect("socket-0000000000002");
    server.event("socket-0000000000002", "yes", [], { i: 2 });
    await server.next("ack");
    assert.deepEqual(
        server.heard.filter(({ op }) => op === "emit"),
        [],
    );
});

test("who fails is known by what was registered, whatever the way", async () => {
    const fail = `() => { throw "no stack" }`;
    await begin({
        apps: {
            one: handlers(`
        socket.onAny(${fail}).prependAny(${fail}).use((packet, next) => { next(); throw "no stack" });
        socket.onAnyOutgoing(${fail}).prependAnyOutgoing(${fail});
        socket.prependListener("x", ${fail});`),
            two: handlers(`socket.on("x", () => socket.emit("y"))`),
        },
    });
    server.connect(S);
    server.event(S, "x");
    await server.next("y");
    for (const [what, times] of [["onAny", 2], ["middleware", 1], ["onAnyOutgoing", 2], ["event x", 1]]) {
        const line = `app one, ${what}: 'no stack'`;
        await eventually(line, () => host.output.split(line).length - 1 === times);
    }
});

test("a listener may be two apps', or frozen", async () => {
    const shares = handlers(`
        const { shared, frozen } = require("../../one/lib/listeners");
        socket.on("x", shared).on("x", frozen)`);
    const lib = "exports.shared = function () { this.emit('shared') };"
        + "exports.frozen = Object.freeze(function () { this.emit('frozen') });";
    await begin({ apps: { one: { "realtime/handlers.js": shares, "lib/listeners.js": lib }, two: shares } });
    server.connect(S);
    server.event(S, "x");
    for (const event of ["shared", "frozen", "shared", "frozen"]) await server.next(event);
    assert.doesNotMatch(host.output, /Error/);
});

for (const [way, call] of Object.entries({
    onAny: "onAny(() => 0)",
    prependAny: "prependAny(() => 0)",
    use: "use((packet, next) => next())",
}))
    test(`${way} gets the server's own events, too, and says so before it takes over`, async () => {
        await begin({ apps: { one: handlers(`socket.${call}`) } });
        assert.deepEqual(server.first.events, ["*", ...OWN_EVENTS]);
        await alone.end();
        const hidden = `socket${call.replace(way, `["${way}"]`)}; socket.emit("ready")`;
        await begin({ apps: { one: handlers(hidden) } });
        assert.deepEqual(server.first.events, ["*"]);
        server.connect(S);
        server.connect("socket-0000000000002"); // it is said once
        await server.next((message) => message.s !== S && message.e === "ready");
        assert.deepEqual(
            server.heard.filter(({ op }) => op === "events").map(({ e }) => e),
            OWN_EVENTS.map((event) => [event]),
        );
    });
