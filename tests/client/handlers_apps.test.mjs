// Apps in the JavaScript handler host: which are loaded, what they can require, and what becomes of
// their mistakes; how a host ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, rename, rm, symlink, unlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, test } from "node:test";
import { Bench, FakeServer } from "./handlers_support.mjs";
import { PATIENCE_MS, eventually, sleep } from "./support.mjs";

const S = "socket-0000000000001";
let bench, server, host;

async function begin(options, files = {}) {
    bench = await Bench.make(options);
    for (const [name, text] of Object.entries(files)) await bench.write(name, text);
    server = await FakeServer.start(bench.socket);
    host = bench.host();
    await eventually(`a first line: ${host.output}`, () => server.first);
}

/** A host that is to replace "old", with apps that cannot be loaded and `fine`. */
async function beginToReplace(broken, hosts) {
    bench = await Bench.make({ apps: { ...broken, fine: says("fine") } });
    server = await FakeServer.start(bench.socket);
    server.hosts = hosts;
    host = bench.host({ replaces: "old" });
}

afterEach(async () => {
    host.kill("SIGKILL");
    await server.close();
    await bench.remove();
});

const handlers = (body) => `module.exports = function (socket) { ${body} };`;
const says = (name) => handlers(`socket.emit("${name}")`);

test("the apps of apps.txt in the site's order, without the framework and Python's", async () => {
    await begin({
        apps: {
            one: says("one"),
            two: says("two"),
            three: says("three"),
            python: { "realtime/handlers.js": says("python"), "python/realtime/handlers.py": "" },
            package: {
                "realtime/handlers.js": says("package"),
                "package/realtime/handlers/__init__.py": "",
            },
            "# off": says("a comment"),
        },
    });
    server.connect(S, { apps: ["frappe", "three", "python", "one"] });
    server.connect("socket-0000000000002");
    await server.next((m) => m.s !== S && m.e === "three");
    assert.deepEqual(
        server.heard.map((m) => m.e),
        ["three", "one", "one", "two"],
    );
});

test("an app that apps.txt names twice is called once, where the site does not tell its apps", async () => {
    const listed = "frappe\r\none\n\n  two \none\n#three\n";
    await begin({ apps: { one: says("one"), two: says("two"), three: says("three") } }, { "sites/apps.txt": listed });
    assert.deepEqual(server.first.apps, ["one", "two"]);
    server.connect(S);
    server.connect("socket-0000000000002", { apps: ["two"] });
    await server.next((m) => m.s !== S);
    assert.deepEqual(
        server.heard.map((m) => m.e),
        ["one", "two"],
    );
});

test("require finds Frappe's modules, an app's own and its node_modules", async () => {
    await begin({
        apps: {
            one: {
                "realtime/handlers.js": `
                const { get_conf } = require("../../frappe/node_utils");
                const { get_url } = require("../../frappe/realtime/utils");
                const helper = require("./helper"), library = require("library"), path = require("node:path");
                module.exports = (socket) => socket.emit("found", get_conf().socketio_port,
                    get_url(socket, "/x"), helper, library, path.resolve(__dirname, "../../..", "sites") === process.cwd());`,
                "realtime/helper.js": `module.exports = "helper"`,
                "node_modules/library/index.js": `module.exports = "library"`,
            },
        },
        config: { socketio_port: 9012 },
    });
    server.connect(S);
    assert.deepEqual((await server.next("found")).a, [
        9012,
        "http://127.0.0.1/x",
        "helper",
        "library",
        true,
    ]);
});

test("apps that are links are in the bench all the same", async () => {
    bench = await Bench.make({
        apps: {
            one: {
                "realtime/handlers.js": `
                const { get_conf } = require("../../frappe/node_utils");
                const library = require("library"), beside = require("beside");
                const more = require("more"), shared = require("../../shared");
                const path = require("node:path");
                const paths = [path.join(__dirname, "../node_modules/library")];
                let code;
                try { require("node:module")._load("not there") } catch (error) { ({ code } = error) }
                module.exports = (socket) => {
                    socket.on("fail", () => { throw new Error("failed") });
                    socket.emit("found", get_conf().socketio_port, library, beside, more, shared);
                    socket.emit("resolved", require.resolve("./index.js", { paths }), code);
                };`,
                "node_modules/library/index.js": `module.exports = "library"`,
            },
            gone: {},
        },
        config: { socketio_port: 9013 },
    });
    const elsewhere = path.join(bench.folder, "elsewhere/source");
    await mkdir(elsewhere, { recursive: true });
    for (const app of ["one", "frappe"]) {
        await rename(path.join(bench.folder, "apps", app), path.join(elsewhere, app));
        await symlink(path.join(elsewhere, app), path.join(bench.folder, "apps", app));
    }
    await symlink("/nowhere", path.join(bench.folder, "apps/gone"));
    await bench.write("elsewhere/node_modules/beside/index.js", `module.exports = "beside"`);
    await bench.write("elsewhere/source/shared.js", `module.exports = "shared"`);
    // A folder whose name only begins as that of the app.
    await bench.write("elsewhere/source/one-more/index.js", `module.exports = "more"`);
    await symlink(path.join(elsewhere, "one-more"), path.join(elsewhere, "one/node_modules/more"));
    server = await FakeServer.start(bench.socket);
    host = bench.host();
    await eventually(`a first line: ${host.output}`, () => server.first);
    server.connect(S);
    assert.deepEqual((await server.next("found")).a, [9013, "library", "beside", "more", "shared"]);
    const resolved = path.join(bench.folder, "apps/one/node_modules/library/index.js");
    assert.deepEqual((await server.next("resolved")).a, [resolved, "MODULE_NOT_FOUND"]);
    server.event(S, "fail");
    await host.says(path.join(bench.folder, "apps/one/realtime/handlers.js"));
});

test("a bench without a folder of apps has none that has handlers", async () => {
    bench = await Bench.make({});
    await rm(path.join(bench.folder, "apps"), { recursive: true });
    server = await FakeServer.start(bench.socket);
    host = bench.host();
    const first = await eventually(`a first line: ${host.output}`, () => server.first);
    assert.deepEqual(first.apps, []);
});

test("an app's errors are known for its own where the bench's folder is a link", async () => {
    const late = `setTimeout(() => { throw new Error("late") })`;
    bench = await Bench.make({
        apps: { one: { "realtime/handlers.js": `module.exports = require("../lib/late")`, "lib/late.js": handlers(late) } },
    });
    const real = bench.folder;
    bench.folder = `${real}-link`;
    await symlink(real, bench.folder);
    try {
        server = await FakeServer.start(bench.socket);
        host = bench.host();
        await eventually(`a first line: ${host.output}`, () => server.first);
        server.connect(S);
        await host.says("app one, uncaught exception: Error: late");
    } finally {
        await unlink(bench.folder);
        bench.folder = real;
    }
});

test("an app that cannot be loaded or set up is named, and the others run", async () => {
    await begin({
        apps: {
            broken: "module.exports = ;",
            missing: `require("not there")`,
            object: "module.exports = { on() {} }",
            raising: handlers(
                `socket.on("x", () => socket.emit("still here")); throw new Error("no set-up")`,
            ),
            fine: says("fine"),
        },
    });
    server.connect(S);
    await server.next("fine");
    server.event(S, "x");
    await server.next("still here");
    for (const text of [
        "app broken, loading",
        "SyntaxError",
        "app missing, loading",
        "Cannot find module 'not there'",
        "exports object, not function (socket); skipped",
        "app raising, handlers.js: Error: no set-up",
    ])
        await host.says(text);
});

const BROKEN = {
    wrong: "module.exports = ;",
    missing: `require("not there")`,
    empty: "",
    older: "module.exports = ;",
};

test("what the old host serves is not replaced by nothing", async () => {
    await beginToReplace(BROKEN, [
        { id: "older", apps: ["older"] },
        { id: "old", apps: ["fine", "wrong", "missing", "empty"] },
    ]);
    assert.equal(await host.ended(), 1);
    const told = "not taking over, the old handlers go on: no new ones of wrong, missing, empty\n";
    assert.equal(host.output.split(told).length, 2, host.output);
    assert.equal(host.output.split("app wrong, loading").length, 2, host.output);
    assert.equal(server.first, undefined);
});

for (const hosts of [[], [{ id: "old", apps: ["fine"] }], [{ id: "old" }]])
    test(`what nobody serves keeps no host from taking over ${JSON.stringify(hosts)}`, async () => {
        await beginToReplace(BROKEN, hosts);
        const first = await eventually(`a first line: ${host.output}`, () => server.first);
        assert.deepEqual(first.apps, ["fine"]);
    });

for (const [what, apps, options] of [
    ["has loaded every app", {}, { replaces: "old" }],
    ["replaces none", BROKEN, {}],
])
    test(`a host that ${what} does not ask what the old one serves`, async () => {
        bench = await Bench.make({ apps: { ...apps, fine: says("fine") } });
        server = await FakeServer.start(bench.socket);
        server.hosts = null;
        host = bench.host(options);
        const first = await eventually(`a first line: ${host.output}`, () => server.first);
        assert.deepEqual(first.apps, ["fine"]);
    });

test("a server that does not tell what the old host serves", async () => {
    await beginToReplace(BROKEN, null);
    assert.equal(await host.ended(), 1);
    assert.match(host.output, /cannot ask .*rt.sock about the old handlers: /);
});

test("errors of handlers are logged with their app and stop nobody", async () => {
    await begin({
        apps: {
            bad: handlers(`
            socket.on("throw", () => { throw new Error("thrown") });
            socket.on("text", () => { throw "a text" });
            socket.on("reject", async () => { throw new Error("rejected") });
            socket.on("timer", () => setTimeout(() => { throw new Error("from a timer") }));
            socket.on("forgotten", () => { Promise.reject(new Error("forgotten")); });
            socket.on("nothing", () => { Promise.reject(); });
            socket.on("answer", () => socket.emit("q", () => { throw new Error("in an answer") }));
            socket.on("circle", () => { const a = {}; a.a = a; socket.emit("circle", a) });
            socket.on("disconnect", () => { throw new Error("at the end") });`),
            late: handlers(`setTimeout(() => {
                socket.on("late", () => { throw "a late text" });
                socket.emit("late, too");
            })`),
            far: {
                "realtime/handlers.js": handlers(`socket.on("far", require("../lib/away"))`),
                "lib/away.js": `module.exports = () => setTimeout(() => { throw new Error("from afar") })`,
            },
            good: handlers(
                `socket.onAny((event) => socket.emit("good " + event)); socket.on("disconnect", () => socket.nsp.emit("good end"))`,
            ),
        },
    });
    server.connect(S);
    await server.next("late, too");
    for (const event of ["late", "throw", "text", "reject", "timer", "forgotten", "nothing", "answer", "circle", "far"]) {
        server.event(S, event);
        await server.next(`good ${event}`);
    }
    server.tell({ op: "ack", q: (await server.next("q")).q, a: [] });
    for (const text of [
        "app bad, event throw: Error: thrown",
        "app bad, event text: 'a text'",
        "app bad, event reject: Error: rejected",
        "app bad, uncaught exception: Error: from a timer",
        "app bad, unhandled rejection: Error: forgotten",
        "an app, unhandled rejection: undefined",
        "app bad, acknowledgement of q: Error: in an answer",
        "app bad, event circle: RangeError",
        "app far, uncaught exception: Error: from afar",
        "): an app, event late: 'a late text'", // whose it is nothing tells
    ])
        await host.says(text);
    server.tell({ op: "disconnect", s: S, reason: "transport close" });
    await server.next("good end");
    assert.equal(host.exitCode, null);
    assert.doesNotMatch(host.output, /app good,/);
});

test("an app that fails without end does not fill the log", async () => {
    await begin({
        apps: { bad: handlers(`socket.on("x", () => { throw new Error("again and again") })`) },
    });
    server.connect(S);
    const began = Date.now();
    for (let n = 0; n < 300; n++) server.event(S, "x");
    const shown = () => host.output.split("again and again").length - 1;
    const counted = () =>
        [...host.output.matchAll(/(\d+) more errors of apps within/g)].reduce(
            (sum, [, n]) => sum + Number(n),
            0,
        );
    await eventually("300 errors, shown or counted", () => shown() + counted() === 300);
    const seconds = (Date.now() - began) / 1000;
    assert.ok(shown() <= 20 * (1 + seconds), host.output); // twenty, when all come within a second
});

test("what does not fit into a line is the app's error", async () => {
    await begin({
        apps: {
            big: handlers(`
        socket.on("long", () => socket.emit("long", "x".repeat(17 << 20)));
        socket.on("many", () => socket.emit("many", Array.from({ length: 11 }, () => Buffer.alloc(1))));`),
        },
    });
    server.connect(S);
    server.event(S, "long");
    server.event(S, "many");
    await host.says(`app big, event long: RangeError: cannot emit "long"`);
    await host.says(
        "cannot emit 11 binary values at once, 10 are the most; join them into one Buffer",
    );
    assert.deepEqual(server.heard, []);
});

test("a server that does not read loses emits, not commands", async () => {
    await begin({
        apps: {
            flood: handlers(`
        socket.on("flood", () => {
            for (let n = 0; n < 80; n++) socket.emit("n", n, "x".repeat(1 << 20));
            socket.join("after");
        });`),
        },
    });
    server.connect(S);
    server.event(S, "flood");
    server.peer.pause();
    const [, dropped] = await eventually("the word about it", () =>
        /dropped (\d+) emits: the server has not read 67108864 bytes/.exec(host.output),
    );
    server.peer.resume();
    await server.next("join");
    const numbers = server.heard.filter((m) => m.e === "n").map((m) => m.a[0]);
    assert.equal(numbers.length, 80 - dropped);
    assert.deepEqual(numbers, [...numbers.keys()]);
});

test("lines that come in pieces, and lines that are none", async () => {
    await begin({
        apps: {
            one: handlers(`socket.on("x", (text) => socket.emit("y", text.length, text.at(-1)))`),
        },
    });
    server.connect(S);
    server.peer.write("nonsense\n\n");
    const line = Buffer.from(
        `${JSON.stringify({ op: "event", s: S, e: "x", a: [`${"ä".repeat(300000)}ö`] })}\n`,
    );
    for (let at = 0; at < line.length; at += 70001) {
        server.peer.write(line.subarray(at, at + 70001));
        await sleep(2);
    }
    assert.deepEqual((await server.next("y")).a, [300001, "ö"]);
    await host.says("skipped a line of the server");
    const depth = 100000; // nobody can walk through that without being stopped
    const deep = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    server.peer.write(
        `{"op":"event","s":"${S}","e":"x","a":${deep},"b":["AA=="]}\n{"op":"from the future"}\n{"new":1}\n{"op":"event","s":"${S}","e":"x","a":["z"]}\n`,
    );
    assert.deepEqual((await server.next("y")).a, [1, "z"]);
});

test("a line without end is not kept", async () => {
    await begin({ apps: { one: handlers("") } });
    const piece = "x".repeat(1 << 20);
    for (let n = 0; n < 17; n++) server.peer.write(piece);
    assert.equal(await host.ended(), 1);
    await host.says("the link to the server broke: the server sent a line above 16777216 bytes");
});

for (const [status, becomes] of [[3, 1], [4, 1], [5, 5]])
    test(`an app that ends the process is named in the log, and its status is not gunicorn's: ${status}`, async () => {
        await begin({ apps: { one: handlers(`socket.on("exit", (status) => process.exit(status))`) } });
        server.connect(S);
        server.event(S, "exit", [status]);
        assert.equal(await host.ended(), becomes);
        await host.says(`an app has ended this process with status ${status}`);
    });

test("what nobody reads of its output is no error that an app hears of", async () => {
    const handler = handlers(`
        socket.on("say", () => {
            for (const stream of [process.stdout, process.stderr]) stream.write("x");
            setTimeout(() => socket.emit("said"));
        });
        socket.on("heard", () => socket.emit("heard", heard));`);
    const listen = `const heard = []; process.on("uncaughtException", (error) => heard.push(error.code));`;
    await begin({ apps: { one: `${listen} ${handler}` } });
    host.stdout.destroy();
    host.stderr.destroy();
    server.connect(S);
    server.event(S, "say");
    await server.next("said");
    server.event(S, "heard");
    assert.deepEqual((await server.next("heard")).a, [[]]);
});

test("a host that somebody has started by hand does not look for the server's process", async () => {
    const early = "globalThis.setInterval = (look) => (look(), { unref() {} });"; // what looks
    bench = await Bench.make({ apps: { one: `${early} ${says("here")}` } });
    server = await FakeServer.start(bench.socket);
    host = bench.host({ parent: null });
    await eventually(`a first line: ${host.output}`, () => server.first);
    server.connect(S);
    await server.next("here");
});

test("a host ends when the server's process has gone", async () => {
    bench = await Bench.make({ apps: { one: handlers("") } });
    server = await FakeServer.start(bench.socket);
    host = bench.host({ parent: 1 });
    assert.equal(await host.ended(), 1);
    await host.says("the process of the server has gone");
});

for (const [how, end] of [
    ["drain", () => server.tell({ op: "drain" })],
    ["SIGTERM", () => host.kill("SIGTERM")],
    ["SIGINT", () => host.kill("SIGINT")],
]) {
    test(`${how}: what was begun is finished, then the host ends`, async () => {
        await begin({
            apps: {
                slow: handlers(`
            socket.on("slow", (reply) => setTimeout(() => reply("done"), 300));
            socket.on("async", async () => {
                socket.emit("begun");
                await new Promise((done) => setTimeout(done, 100));
                socket.emit("async done");
            });
            socket.on("disconnect", () => socket.nsp.emit("not a disconnect"));
            socket.emit("ready");`),
            },
        });
        server.connect(S);
        await server.next("ready");
        server.event(S, "slow", [], { i: 3 });
        server.event(S, "async");
        await server.next("begun");
        const closed = once(host, "close"); // when all is read that it has said
        end();
        assert.equal(await host.ended(), 0);
        await closed;
        assert.doesNotMatch(host.output, /has ended this process/);
        assert.deepEqual(server.heard, [
            { op: "emit", s: S, e: "async done", a: [] },
            { op: "ack", s: S, i: 3, a: ["done"] },
        ]);
    });
}

test("what the last event before a drain leads to at once is written", async () => {
    const handler = `socket.on("x", () => { Promise.resolve().then(() => socket.emit("y")) })`;
    await begin({ apps: { one: handlers(`${handler}; socket.emit("ready")`) } });
    server.connect(S);
    await server.next("ready");
    server.tell({ op: "event", s: S, e: "x", a: [] }, { op: "drain" });
    assert.equal(await host.ended(), 0);
    await server.next("y");
});

for (const [how, end, least, most] of [
    ["drain", () => server.tell({ op: "drain" }), 5000, PATIENCE_MS],
    ["SIGTERM", () => host.kill("SIGTERM"), 0, 9000], // sooner than a drain
]) {
    test(`${how}: what never ends is waited for in bounds`, async () => {
        const handler = `socket.on("x", async (reply) => { socket.emit("begun"); await new Promise(() => 0) })`;
        await begin({ apps: { slow: handlers(handler) } });
        server.connect(S);
        server.event(S, "x", [], { i: 1 });
        await server.next("begun");
        const began = Date.now();
        end();
        assert.equal(await host.ended(), 0);
        const took = Date.now() - began;
        assert.ok(took > least && took < most, `${took} ms`);
    });
}
