// Binary values on the link of a JavaScript host: where they stand, and what takes their place.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const { pack, unpack } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/binary.js");
const mark = (num) => ({ _placeholder: true, num });
const base64 = (...bytes) => Buffer.from(bytes).toString("base64");

class Parent {}
Parent.prototype.inherited = Buffer.from([9]);

const whole = new Uint8Array([1, 2, 3, 4]);
for (const [what, value, written, bytes] of [
    ["a Buffer", Buffer.from([1]), mark(0), [base64(1)]],
    ["a part of an ArrayBuffer", whole.subarray(1, 3), mark(0), [base64(2, 3)]],
    ["an ArrayBuffer", whole.buffer, mark(0), [base64(1, 2, 3, 4)]],
    ["a DataView", new DataView(whole.buffer, 2), mark(0), [base64(3, 4)]],
    ["in lists", [1, [whole, null]], [1, [mark(0), null]], [base64(1, 2, 3, 4)]],
    ["in objects", { a: { b: whole }, c: "d" }, { a: { b: mark(0) }, c: "d" }, [base64(1, 2, 3, 4)]],
    ["several", { a: Buffer.from([1]), b: [Buffer.from([2])] }, { a: mark(0), b: [mark(1)] }, [base64(1), base64(2)]],
    ["in what toJSON gives", { toJSON: () => ({ x: Buffer.from([5]) }) }, { x: mark(0) }, [base64(5)]],
    ["beside what has a toJSON", [new Date(0), Buffer.from([6])], ["1970-01-01T00:00:00.000Z", mark(0)], [base64(6)]],
])
    test(`binary values are put aside: ${what}`, () => {
        const message = JSON.parse(JSON.stringify(pack({ op: "emit" }, ["first", value])));
        assert.deepEqual(message, { op: "emit", a: ["first", written], b: bytes });
        const [first, back] = unpack(message);
        assert.equal(first, "first");
        const texts = [];
        JSON.stringify(back, (_, item) => {
            if (item?.type === "Buffer") texts.push(Buffer.from(item.data).toString("base64"));
            return item;
        });
        assert.deepEqual(texts, bytes);
    });

test("without any the arguments stay as they are, and none are made of what is inherited", () => {
    const args = [null, undefined, 1, "b", { toJSON: () => "text" }, [new Date(0)], new Parent(), { a: null }];
    assert.equal(pack({}, args).a, args);
    assert.equal("b" in pack({}, args), false);
    const both = pack({}, [new Parent(), Buffer.from([1])]);
    assert.deepEqual(JSON.parse(JSON.stringify(both)), { a: [{}, mark(0)], b: [base64(1)] });
});

test("ten values at once, and no more", () => {
    const values = Array.from({ length: 10 }, () => Buffer.alloc(1));
    assert.equal(pack({}, values).b.length, 10);
    assert.throws(() => pack({}, [...values, values]), /cannot emit 20 binary values at once, 10 are the most/);
});

test("arguments that are none, and placeholders of nothing", () => {
    assert.deepEqual(unpack({}), []);
    assert.deepEqual(unpack({ a: "text" }), []);
    assert.deepEqual(unpack({ a: [mark(0)] }), [mark(0)]);
    assert.deepEqual(unpack({ a: [mark(0)], b: [] }), [mark(0)]);
    const odd = [mark(1), mark("0"), { _placeholder: "true", num: 0 }, { num: 0 }, null, mark(-1)];
    assert.deepEqual(unpack({ a: odd, b: [base64(7)] }), odd);
});
