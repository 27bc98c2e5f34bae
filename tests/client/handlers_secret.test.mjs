// The socket secret that requests of handlers carry: asked of the server, and used for a while.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { beforeEach, test } from "node:test";

const { Web } = createRequire(import.meta.url)("../../frappe_rt/handlers/node/web.js");
let web, questions, logged;

beforeEach(() => {
    [questions, logged] = [[], []];
    const ask = (message, answer) => questions.push({ message, answer });
    web = new Web(ask, (line) => logged.push(line));
});

/** What a request gets for this answer of the server, long after the last question. */
async function secretFor(answer) {
    web.secret.asked = -Infinity;
    const secret = web.getSecret();
    questions.at(-1).answer(answer);
    return secret;
}

test("the server is asked for it", async () => {
    assert.equal(await secretFor({ q: 1, secret: "s" }), "s");
    assert.deepEqual(questions[0].message, { op: "secret" });
    assert.deepEqual(logged, []);
});

test("there may be none, which is no error", async () => {
    assert.equal(await secretFor({ secret: null }), null);
    assert.deepEqual(logged, []);
});

test("a Redis that does not give it is told of once, until it has given one again", async () => {
    for (const expected of [1, 1]) {
        assert.equal(await secretFor({ secret: null, error: "redis" }), null);
        assert.equal(logged.length, expected);
    }
    assert.match(logged[0], /requests go without socketio_auth_secret: .* redis_queue/);
    assert.equal(await secretFor({ secret: "s" }), "s");
    assert.equal(await secretFor({ secret: null, error: "redis" }), null);
    assert.equal(logged.length, 2);
});

test("one answer is used for a while, also by who asks meanwhile", async () => {
    const both = Promise.all([web.getSecret(), web.getSecret()]);
    questions[0].answer({ secret: "s" });
    assert.deepEqual(await both, ["s", "s"]);
    assert.equal(await web.getSecret(), "s");
    web.secret.asked -= 5000;
    await web.getSecret();
    assert.equal(questions.length, 1);
    web.secret.asked -= 5001;
    const next = web.getSecret();
    questions[1].answer({ secret: "t" });
    assert.equal(await next, "t");
});
