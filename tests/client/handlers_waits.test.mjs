// What a JavaScript handler host waits for: answers of clients, of the server and the web process,
// and what it owes clients. While it waits it is busy, and a host that is to end does not yet.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, beforeEach, test } from "node:test";
import { Bench } from "./handlers_support.mjs";
import { SITE, eventually } from "./support.mjs";

const require = createRequire(import.meta.url);
const { Host } = require("../../frappe_rt/handlers/node/host.js");
const S = "socket-0000000000001";

let bench, host, socket, sent, logged;
before(async () => {
    bench = await Bench.make({ apps: {} });
});
after(() => bench.remove());

/** A host in this process, its link's lines in `sent`, and a client that is there. */
beforeEach(() => {
    [sent, logged] = [[], []];
    const log = (line) => logged.push(line);
    host = new Host({ bench: bench.folder, id: "host-number-00000001", log, exit: assert.fail });
    host.link.send = (message) => sent.push(message);
    host.link.sendEmit = host.link.send;
    host.hear({ op: "connect", s: S, ns: `/${SITE}`, site: SITE, user: "ada", sid: null, authorization: null });
    socket = host.mirror.sockets.get(S);
});

const last = () => sent.at(-1);
const event = (e, i) => host.hear({ op: "event", s: S, e, a: [], i });
const answer = (more) => host.hear({ op: "ack", q: last().q, ...more });

test("an answer that a client waits for is owed until it is given", () => {
    const replies = [];
    socket.on("ask", (reply) => replies.push(reply));
    event("ask");
    event("nobody listens", 1);
    assert.equal(host.busy(), false);
    event("ask", 2);
    event("ask", 3);
    replies[1]("a");
    replies[1]("b");
    assert.equal(host.busy(), true);
    replies[2]("c");
    assert.equal(host.busy(), false);
    assert.deepEqual(
        sent.map(({ i, a }) => [i, a]),
        [[2, ["a"]], [3, ["c"]]],
    );
});

test("nothing is owed to who has gone", () => {
    let reply;
    socket.on("ask", (given) => (reply = given));
    event("ask", 1);
    host.hear({ op: "disconnect", s: S, reason: "transport close" });
    assert.equal(host.busy(), false);
    reply("late");
    assert.equal(host.busy(), false);
    assert.deepEqual(sent, []);
});

for (const [how, settle] of [["resolves", "resolve"], ["rejects", "reject"]])
    test(`an async handler is waited for until it ${how}`, async () => {
        const promise = {};
        socket.on("x", () => new Promise((resolve, reject) => Object.assign(promise, { resolve, reject })));
        event("x");
        assert.equal(host.busy(), true);
        promise[settle](new Error("told"));
        await eventually("the end of it", () => !host.busy());
        assert.equal(logged.length, settle === "reject" ? 1 : 0);
    });

test("a client's answer is waited for until it comes, or cannot come any more", () => {
    const answers = [];
    const ask = () => socket.emit("q", 1, (...args) => answers.push(args));
    for (const more of [{ a: ["yes"] }, { error: "gone" }, { error: "timeout" }, { error: "limit" }]) {
        ask();
        assert.equal(host.busy(), true);
        answer(more);
        answer(more);
        assert.equal(host.busy(), false, JSON.stringify(more));
    }
    assert.deepEqual(answers, [["yes"]]);
});

test("within a time: once, as soon as the server knows that none comes, else at its end", async () => {
    const answers = [];
    const ask = (ms) => socket.timeout(ms).emit("q", (error, value) => answers.push(error?.message ?? value));
    ask(20);
    answer({ a: ["yes"] });
    ask(600000);
    assert.equal(last().t, 30000);
    answer({ error: "timeout" });
    assert.deepEqual(answers, ["yes", "operation has timed out"]);
    ask(40);
    answer({ error: "gone" }); // as in socket.io, it is the time that ends it
    assert.equal(answers.length, 2);
    await eventually("the end of the time", () => answers.length === 3);
    assert.deepEqual(answers[2], "operation has timed out");
    ask(1);
    await eventually("the end of another", () => answers.length === 4);
    answer({ a: ["late"] });
    assert.deepEqual([answers.length, host.busy()], [4, false]);
});

test("a question may be awaited, with and without a time", async () => {
    for (const asker of [() => socket, () => socket.timeout(600000)]) {
        const first = asker().emitWithAck("q");
        answer({ a: ["yes", "and more"] });
        assert.equal(await first, "yes");
    }
    await assert.rejects(socket.timeout(1).emitWithAck("q"), { message: "operation has timed out" });
});

test("a question that was not sent is not waited for", async () => {
    const answers = [];
    const ask = (asker = socket) => asker.emit("q", (...args) => answers.push(args));
    host.link.sendEmit = () => {
        throw new RangeError("too long");
    };
    assert.throws(() => ask(), /too long/);
    assert.throws(() => ask(socket.timeout(1)), /too long/);
    host.link.sendEmit = () => false; // the server does not read
    ask();
    host.hear({ op: "disconnect", s: S, reason: "transport close" });
    ask();
    assert.equal(host.busy(), false);
    ask(socket.timeout(20)); // as in socket.io: called at the end of the time
    await eventually("the end of the time", () => answers.length > 0);
    assert.deepEqual(answers.map(([error]) => error.message), ["operation has timed out"]);
    assert.equal(host.busy(), false);
});

test("a permission, and a request to the web process", async () => {
    let respond;
    let allowed = 0;
    const asked = [["Note", 7], ["Note", ""], ["Note"]];
    for (const [about, ok] of [[asked[0], false], [asked[1], null], [asked[2], true]]) {
        socket.has_permission(...about).then(() => allowed++);
        assert.equal(host.busy(), true);
        host.hear({ op: "result", q: last().q, ok });
        assert.equal(host.busy(), false);
    }
    await eventually("the permission", () => allowed === 1);
    assert.deepEqual(sent.map(({ doctype, name }) => [doctype, name]), [["Note", "7"], ["Note", undefined], ["Note", undefined]]);
    assert.deepEqual(logged, ["nobody answered who may read Note "]);
    host.web.request = () => new Promise((resolve) => (respond = resolve));
    const response = socket.frappe_request("/x");
    assert.equal(host.busy(), true);
    respond("the response");
    assert.equal(await response, "the response");
    assert.equal(host.busy(), false);
});

test("of an acknowledged broadcast each is asked once, and what is missing is told", async () => {
    const other = "socket-0000000000002";
    host.hear({ op: "connect", s: other, ns: `/${SITE}`, site: SITE, user: "grace" });
    const told = [];
    const asks = () => sent.splice(0).map(({ s, q }) => [s, q]);
    socket.nsp.emit("q", (error, answers) => told.push(error, answers));
    for (const [s, q] of asks()) host.hear({ op: "ack", q, a: [s] });
    assert.deepEqual(told.splice(0), [null, [S, other]]);
    socket.nsp.timeout(20).emit("q", (error, answers) => told.push(error.message, answers));
    const [[, q]] = asks();
    host.hear({ op: "ack", q, a: ["one"] });
    assert.deepEqual(told, []);
    await eventually("the end of the time", () => told.length);
    assert.deepEqual(told, ["operation has timed out", ["one"]]);
    const failed = socket.nsp.timeout(1).emitWithAck("q");
    await assert.rejects(failed, ({ message, responses }) => message === told[0] && responses.length === 0);
    const nobody = [];
    socket.nsp.to("nobody").emit("q", (...args) => nobody.push(args));
    assert.deepEqual(nobody, []); // never within the call
    await eventually("no answer", () => nobody.length);
    assert.deepEqual(nobody, [[null, []]]);
    assert.equal(host.busy(), false);
});
