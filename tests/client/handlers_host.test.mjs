// The JavaScript handler host alone: what it says to the server for what the server says to it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { Alone } from "./handlers_support.mjs";
import { SITE } from "./support.mjs";

const NS = `/${SITE}`;
let alone, bench, server, host;

async function begin(...options) {
    alone = await Alone.begin(...options);
    ({ bench, server, host } = alone);
}

afterEach(() => alone.end());

const handlers = (body) => `module.exports = function (socket) { ${body} };`;

test("a host introduces itself, and takes everything only when an app has handlers", async () => {
    await begin({ apps: { one: handlers("") } }, { replaces: "host-number-00000000" });
    const { pid, ...rest } = server.first;
    assert.equal(pid, host.pid);
    assert.deepEqual(rest, {
        rt: "host",
        version: 2,
        id: "host-number-00000001",
        language: "javascript",
        apps: ["one"],
        events: ["*"],
        connects: true,
        mirror: true,
        handshakes: true,
        replaces: "host-number-00000000",
    });
    await host.says("serves one");
});

test("a client of whom the server tells twice is handed to the apps once", async () => {
    await begin({ apps: { one: handlers(`socket.emit("in"); socket.on("x", () => socket.emit("y"))`) } });
    for (let n = 0; n < 2; n++) server.connect("socket-0000000000001");
    server.event("socket-0000000000001", "x");
    await server.next("y");
    assert.deepEqual(
        server.heard.map((m) => m.e),
        ["in"],
    );
});

test("without handlers it stays and takes nothing", async () => {
    await begin({ apps: { one: { "setup.py": "" } } });
    assert.deepEqual(
        [
            server.first.events,
            server.first.connects,
            server.first.mirror,
            server.first.handshakes,
        ],
        [[], false, false, false],
    );
    await host.says("serves no app");
});

test("arguments, binary ones too, go both ways, and acknowledgements", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("echo", (...args) => {
            const reply = args.pop();
            socket.emit("kinds", args.map((arg) => Buffer.isBuffer(arg) ? "buffer" : typeof arg));
            reply(...args, { view: new Uint16Array([1, 2]), when: new Date(0) });
            reply("a second answer is not sent");
        });`),
        },
    });
    server.connect("socket-0000000000001");
    server.event(
        "socket-0000000000001",
        "echo",
        ["ä\u2028", { _placeholder: true, num: 0 }, null],
        { b: ["AAH/"], i: 7 },
    );
    assert.deepEqual(await server.next("kinds"), {
        op: "emit",
        s: "socket-0000000000001",
        e: "kinds",
        a: [["string", "buffer", "object"]],
    });
    assert.deepEqual(await server.next("ack"), {
        op: "ack",
        s: "socket-0000000000001",
        i: 7,
        a: [
            "ä\u2028",
            { _placeholder: true, num: 0 },
            null,
            { view: { _placeholder: true, num: 1 }, when: "1970-01-01T00:00:00.000Z" },
        ],
        b: ["AAH/", "AQACAA=="],
    });
    assert.deepEqual(server.heard, []);
});

test("a client's placeholder without bytes stays what it is", async () => {
    await begin({
        apps: { one: handlers(`socket.on("x", (...a) => socket.emit("y", a.map(String)))`) },
    });
    server.connect("socket-0000000000001");
    server.event(
        "socket-0000000000001",
        "x",
        [
            { _placeholder: true, num: "length" },
            { _placeholder: true, num: 0 },
        ],
        { b: ["AA=="] },
    );
    assert.deepEqual((await server.next("y")).a, [["[object Object]", "\0"]]);
});

test("each way of emitting becomes the right command", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.join(["room", 5]);
        socket.on("go", () => {
            socket.volatile.emit("volatile", 1);
            socket.to("a").to(["b", "a"]).emit("to");
            socket.broadcast.emit("broadcast");
            socket.except("room").volatile.emit("except");
            socket.nsp.to(5).emit("number");
            socket.nsp.emit("all");
            socket.nsp.except("room").emit("others");
            socket.nsp.except(7).emit("not seven");
            socket.nsp.adapter.broadcast({ data: ["raw"] }, {});
            socket.send("text");
            socket.volatile.to("v").emit("to v");
            socket.emit(5);
            for (const name of ["connect", "disconnect"])
                try { (name === "connect" ? socket : socket.nsp).emit(name) } catch (error) { socket.emit("refused", error.message) }
        });`),
        },
    });
    server.connect("socket-0000000000001");
    server.connect("socket-0000000000002", { apps: [] });
    server.event("socket-0000000000001", "go");
    await server.next((m) => m.e === "refused" && m.a[0].includes(`"disconnect"`));
    const s = "socket-0000000000001";
    assert.deepEqual(server.heard, [
        { op: "join", s, r: "room" },
        { op: "join", s, r: "5" },
        { op: "emit", ns: NS, r: [s], v: true, e: "volatile", a: [1] },
        { op: "emit", ns: NS, r: ["a", "b"], x: [s], e: "to", a: [] },
        { op: "emit", ns: NS, x: [s], e: "broadcast", a: [] },
        { op: "emit", ns: NS, x: [s], v: true, e: "except", a: [] },
        { op: "emit", ns: NS, r: ["5"], e: "number", a: [] },
        { op: "emit", ns: NS, e: "all", a: [] },
        { op: "emit", ns: NS, x: [s], e: "others", a: [] },
        { op: "emit", ns: NS, x: ["7"], e: "not seven", a: [] },
        { op: "emit", ns: NS, e: "raw", a: [] },
        { op: "emit", s, e: "message", a: ["text"] },
        { op: "emit", ns: NS, r: ["v"], x: [s], v: true, e: "to v", a: [] },
        { op: "emit", s, e: "5", a: [] }, // which that was not meant for
        { op: "emit", s, e: "refused", a: [`"connect" is a reserved event name`] },
    ]);
});

test("the mirror follows the server, and an app's own joins and leaves at once", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.tag = socket.id.slice(-1);
        socket.on("look", (room) => socket.emit("seen",
            [...(socket.nsp.adapter.rooms.get(room) || [])].map((id) => socket.nsp.sockets.get(id).tag),
            [...socket.rooms]));
        socket.on("join", (room) => socket.join(room));
        socket.on("leave", (room) => socket.leave(room));
        socket.on("disconnecting", () => socket.nsp.emit("going", [...socket.rooms]));
        socket.on("disconnect", (reason) => socket.nsp.emit("gone", reason, socket.rooms.size,
            socket.nsp.sockets.size, socket.connected, socket.nsp.adapter.rooms.has("r")));`),
        },
    });
    const [a, b] = ["socket-000000000000a", "socket-000000000000b"];
    const look = async (s, room = "r") => {
        server.event(s, "look", [room]);
        return (await server.next("seen")).a;
    };
    server.connect(a);
    server.connect(b, { rooms: ["r"] });
    assert.deepEqual(await look(a), [["b"], [a, "all", "user:ada"]]);
    server.tell({ op: "join", s: a, r: "r" }, { op: "join", s: a, r: "r" });
    assert.deepEqual((await look(a))[0], ["b", "a"]);
    server.tell({ op: "leave", s: a, r: "r" });
    assert.deepEqual((await look(a))[0], ["b"]);
    assert.deepEqual((await look(a, a))[0], ["a"]);

    // What the server says of a change that a later one has undone does not count.
    server.silent = true;
    server.event(a, "join", ["q"]);
    server.event(a, "leave", ["q"]);
    assert.deepEqual((await server.next("join")).r, "q");
    assert.deepEqual((await server.next("leave")).r, "q");
    server.tell({ op: "join", s: a, r: "q" });
    assert.deepEqual((await look(a, "q"))[0], []);
    server.tell({ op: "leave", s: a, r: "q" });
    assert.deepEqual((await look(a, "q"))[0], []);

    server.tell({ op: "disconnect", s: b, reason: "transport close" });
    assert.deepEqual((await server.next("going")).a, [[b, "r"]]);
    assert.deepEqual((await server.next("gone")).a, ["transport close", 0, 1, false, false]);
    server.event(b, "look", ["r"]); // of one that has gone
    server.tell({ op: "join", s: b, r: "r" }, { op: "disconnect", s: b, reason: "again" });
    assert.deepEqual((await look(a))[0], []);
    assert.doesNotMatch(host.output, /skipped/);
});

test("once the server has done an app's changes its word counts again", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("join", () => socket.join("r"));
        socket.on("look", () => socket.emit("seen", socket.rooms.has("r")));`),
        },
    });
    const s = "socket-0000000000001";
    server.connect(s);
    server.silent = true;
    server.event(s, "join");
    await server.next("join");
    server.tell({ op: "join", s, r: "r" }, { op: "leave", s, r: "r" }); // somebody else took it out
    server.event(s, "look");
    assert.deepEqual((await server.next("seen")).a, [true]);
    server.tell({ op: "result", q: 1 });
    server.event(s, "look");
    assert.deepEqual((await server.next("seen")).a, [false]);

    server.event(s, "join"); // and the same with the next ones
    await server.next("join");
    server.tell({ op: "join", s, r: "r" }, { op: "leave", s, r: "r" }, { op: "result", q: 2 });
    server.event(s, "look");
    assert.deepEqual((await server.next("seen")).a, [false]);
    assert.deepEqual(server.syncs, [1, 2]); // nothing else was to be confirmed
});

test("what an app has undone since is not done again by the server's word", async () => {
    await begin({
        apps: {
            one: handlers(`
        socket.on("join", () => socket.join("r"));
        socket.on("leave", () => socket.leave("r"));
        socket.on("look", () => socket.emit("seen", socket.rooms.has("r")));`),
        },
    });
    const s = "socket-0000000000001";
    const looksLike = async (joined) => {
        server.event(s, "look");
        assert.deepEqual((await server.next("seen")).a, [joined]);
    };
    server.connect(s);
    server.silent = true;
    for (const event of ["join", "leave"]) {
        server.event(s, event);
        await server.next(event);
    }
    server.tell({ op: "join", s, r: "r" }, { op: "result", q: 1 });
    await looksLike(false);
    server.tell({ op: "leave", s, r: "r" }, { op: "result", q: 2 });
    await looksLike(false);
    server.tell({ op: "join", s, r: "r" }); // by somebody else
    await looksLike(true);
});

test("acknowledged emits: an answer, none in time, a client that has gone", async () => {
    await begin({
        apps: {
            one: handlers(`
        const tell = (name) => (...args) => socket.emit(name, args.map((arg) => arg?.message ?? arg));
        socket.on("ask", () => socket.emit("plain", 1, tell("plain answer")));
        socket.on("timed", () => socket.timeout(60).emit("timed", tell("timed answer")));
        socket.on("await", async () => tell("awaited")(await socket.timeout(9000).emitWithAck("await me")));
        socket.on("all", () => socket.nsp.timeout(9000).emit("each", tell("all answers")));`),
        },
    });
    const s = "socket-0000000000001";
    server.connect(s);
    server.event(s, "ask");
    const plain = await server.next("plain");
    assert.equal(plain.t, 30000);
    server.tell({ op: "ack", q: plain.q, a: [{ _placeholder: true, num: 0 }, 2], b: ["AA=="] });
    assert.deepEqual((await server.next("plain answer")).a, [[{ _placeholder: true, num: 0 }, 2]]);

    server.event(s, "timed");
    const timed = await server.next("timed");
    assert.equal(timed.t, 60);
    server.tell({ op: "ack", q: timed.q, error: "gone" });
    assert.deepEqual((await server.next("timed answer")).a, [["operation has timed out"]]);
    server.event(s, "timed");
    server.tell({ op: "ack", q: (await server.next("timed")).q, a: ["yes"] });
    assert.deepEqual((await server.next("timed answer")).a, [[null, "yes"]]);

    server.event(s, "ask");
    server.tell({ op: "ack", q: (await server.next("plain")).q, error: "limit" });
    await host.says(
        "app one, acknowledgement of plain: 'none comes: too many are awaited from one client",
    );

    server.event(s, "await");
    server.tell({ op: "ack", q: (await server.next("await me")).q, a: ["here"] });
    assert.deepEqual((await server.next("awaited")).a, [["here"]]);

    server.connect("socket-0000000000002");
    server.event(s, "all");
    for (const answer of [1, 2])
        server.tell({ op: "ack", q: (await server.next("each")).q, a: [answer] });
    assert.deepEqual((await server.next("all answers")).a, [[null, [1, 2]]]);
});

test("events of the server's own are asked for when an app listens to them", async () => {
    const listens = `socket.on("ping", () => 0); socket.once("doc_" + "open", () => 0);
        socket.prependListener("doctype_" + "subscribe", () => 0); socket.on("x", () => socket.emit("y"))`;
    await begin({
        apps: {
            one: {
                "realtime/handlers.js": `require("./more"); ${handlers(listens)}`,
                "realtime/more.js": "'doc_close'; require('library')",
                "node_modules/library/index.js": "'doc_subscribe'",
            },
        },
    });
    assert.deepEqual(server.first.events, ["*", "ping", "doc_close"]); // these the files show
    server.connect("socket-0000000000001");
    server.connect("socket-0000000000002");
    server.event("socket-0000000000001", "x", [], { i: 1 });
    await server.next("y");
    assert.deepEqual(server.heard, [
        { op: "events", e: ["doc_open"] },
        { op: "events", e: ["doctype_subscribe"] },
    ]);
});

test("a server that closes the link, a wrong option and a refusal end it with a reason", async () => {
    await begin({ apps: { one: handlers("") } });
    server.tell({ op: "from the future" }, { new: 1 });
    server.tell({ error: `host-number-00000001 is attached already` });
    await host.says("refuses this host: host-number-00000001 is attached already");
    assert.equal(host.output.split("refuses").length, 2);
    server.peer.destroy();
    assert.equal(await host.ended(), 1);
    const nobody = bench.host({ socket: `${bench.folder}/none.sock` });
    const closed = once(nobody, "close"); // when all is read that it has said
    assert.equal(await nobody.ended(), 1);
    await closed;
    assert.match(nobody.output, /link to the server broke: .*ENOENT.*none\.sock/);
    assert.doesNotMatch(nobody.output, /an app has ended/);
    for (const option of ["id", "socket"]) {
        const lacking = bench.host({ [option]: "" });
        assert.equal(await lacking.ended(), 2);
        await lacking.says(`--${option} is missing; usage: node host.js --bench`);
    }
});
