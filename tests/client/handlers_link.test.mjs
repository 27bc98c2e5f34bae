// The JavaScript host's end of the link, alone: lines in whatever pieces they come, and what is
// written when.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { beforeEach, test } from "node:test";
import { eventually } from "./support.mjs";

const { Link, MAX_LINE } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/link.js");
let link, heard, written, logged, before;

beforeEach(() => {
    [heard, written, logged, before] = [[], [], [], () => {}];
    link = new Link({
        hear: (message) => heard.push(message),
        end: assert.fail,
        beforeFlush: () => before(),
        log: (line) => logged.push(line),
    });
    link.stream = { writable: true, writableLength: 0, write: (text) => written.push(text), destroy: assert.fail };
});

test("each line is heard once, wherever the pieces end", () => {
    const lines = ["a", "", "ä€😀", { n: 1 }, "long enough to be cut more than once", [null], "z"];
    const bytes = Buffer.from(`\n${lines.map((line) => JSON.stringify(line)).join("\n\n")}\n`);
    for (let size = 1; size <= bytes.length; size++) {
        for (let at = 0; at < bytes.length; at += size) link.read(bytes.subarray(at, at + size));
        assert.deepEqual(heard.splice(0), lines, `in pieces of ${size}`);
    }
    for (let first = 0; first <= bytes.length; first++) {
        link.read(bytes.subarray(0, first));
        link.read(bytes.subarray(first));
        assert.deepEqual(heard.splice(0), lines, `after ${first}`);
    }
    assert.deepEqual(logged, []);
});

test("the length of one line counts, not that of all that came in pieces", () => {
    const half = Buffer.from(`"${"x".repeat(1 << 20)}`);
    for (let n = 0; n < 20; n++) {
        link.read(half);
        link.read(Buffer.from(`"\n"b`));
        link.read(Buffer.from(`"\n`));
    }
    assert.equal(heard.length, 40);
    let why;
    link.stream.destroy = (error) => (why ??= error.message);
    for (let n = 0; n < MAX_LINE >> 20; n++) link.read(half);
    assert.match(why, /a line above 16777216 bytes/);
});

test("what one turn writes goes out at its end, in one piece and with what is to go before", async () => {
    link.send({ n: 1 });
    link.sendEmit({ n: 2 });
    before = () => link.send({ n: 3 });
    assert.deepEqual(written, []);
    await eventually("the end of the turn", () => written.length);
    assert.deepEqual(written, ['{"n":1}\n{"n":2}\n{"n":3}\n']);
    before = () => {};
    link.send({ n: 4 }); // and so does the next
    await eventually("the end of that", () => written.length === 2);
    link.send("x".repeat(70 << 10)); // too much to wait for it
    assert.equal(written.length, 3);
    link.stream.writable = false;
    link.send({ n: 5 });
    link.flush();
    assert.equal(written.length, 3);
});

test("emits that the server does not read are counted and told, in each second anew", async () => {
    const emit = () => link.sendEmit({ op: "emit" });
    for (const lost of [2, 1]) {
        link.stream.writableLength = 64 << 20;
        for (let n = 0; n < lost; n++) assert.equal(emit(), false);
        link.send({ op: "join" });
        link.stream.writableLength = 0;
        assert.equal(emit(), true);
        await eventually("the word about it", () => logged.length, 10000);
        assert.match(logged.shift(), new RegExp(`^dropped ${lost} emits: `));
    }
    assert.deepEqual(written.join("").split("\n").length, 5); // two joins, two emits
});
