// What Python publishes in its own process reaches the real client, over every transport.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { InProcess, SITE, TRANSPORTS, eventually, next, record } from "./support.mjs";

let server;
before(async () => (server = await InProcess.start()));
after(() => server.close());
afterEach(() => server.closeClients());

for (const [name, options] of Object.entries(TRANSPORTS)) {
    describe(name, () => {
        const join = async (sid) => {
            const client = await server.join(sid, options);
            const last = options.transports.at(-1);
            await eventually(`transport ${last}`, () => client.io.engine.transport.name === last);
            return client;
        };

        test("rooms that are joined at connect", async () => {
            const ada = record(await join("ada"));
            const grace = record(await join("grace"));
            const customer = record(await join("customer"));
            await server.publish({ event: "a", message: { to: "ada" }, user: "ada@example.com" });
            await server.publish({ event: "b", message: "system users" });
            await server.publish({ event: "c", message: [1, null], room: "website" });
            assert.deepEqual(await ada.take(3), [["a", { to: "ada" }], ["b", "system users"], ["c", [1, null]]]);
            assert.deepEqual(await grace.take(2), [["b", "system users"], ["c", [1, null]]]);
            assert.deepEqual(await customer.take(1), [["c", [1, null]]]);
        });

        test("a document's room is joined and left", async () => {
            const ada = await join("ada");
            const events = record(ada, ["pong"]);
            const settle = async () => {
                const answer = next(ada, "pong"); // events of one socket are answered in order
                ada.emit("ping");
                await answer;
            };
            ada.emit("doc_subscribe", "ToDo", "T-1");
            await eventually("the event", async () => {
                await server.publish({ event: "doc", doctype: "ToDo", docname: "T-1" });
                await settle();
                return events.length;
            });
            events.splice(0);
            ada.emit("doc_unsubscribe", "ToDo", "T-1");
            await settle();
            await server.publish({ event: "doc", doctype: "ToDo", docname: "T-1" });
            await server.publish({ event: "end" });
            assert.deepEqual(await events.take(1), [["end", {}]]);
        });

        test("five hundred events come once each and in order", async () => {
            const events = record(await join("ada"));
            await server.publish({ event: "n", user: "ada@example.com", times: 500 });
            const expected = Array.from({ length: 500 }, (_, n) => ["n", n]);
            assert.deepEqual(await events.take(500), expected);
        });

        test("any content comes as it was", async () => {
            const events = record(await join("ada"));
            const values = [
                "ü 😀 \u2028 \u001e \u0000 \\ \"", "", 0, -1.5e-7, true, false, null, [], {},
                { deep: { er: [[[{}]]] } }, "x".repeat(300_000), { "": 1, "ä": "key" },
            ];
            for (const message of values) await server.publish({ event: "v", message: [message] });
            const got = await events.take(values.length);
            assert.deepEqual(got.map(([, [value]]) => value), values);
        });

        test("five megabytes, half a character and a name of two lines", async () => {
            const events = record(await join("ada"));
            const large = { text: "äx\n".repeat(1_050_000) };
            const half = { "\ud800": ["\udc00\ud800"] };
            await server.publish({ event: "a\nb", message: large });
            await server.publish({ event: "a\nb", message: half });
            await server.publish({ event: "a", message: {}, room: "a\nb" }); // nobody is in it
            await server.publish({ event: "refused \ud800", message: {} });
            await server.publish({ event: "end", message: {} });
            assert.deepEqual(await events.take(3), [["a\nb", large], ["a\nb", half], ["end", {}]]);
        });

        test("no message is an empty object", async () => {
            const events = record(await join("ada"));
            await server.publish({ event: "e" });
            assert.deepEqual(await events.take(1), [["e", {}]]);
        });
    });
}

test("both sites' events stay apart", async () => {
    const events = record(await server.join("ada"));
    await server.publish({ event: "other", site: "two.localhost" });
    await server.publish({ event: "mine", site: SITE });
    assert.deepEqual(await events.take(1), [["mine", {}]]);
});

test("progress goes to the user, in percent with title and description", async () => {
    const events = record(await server.join("ada"));
    await server.ask("progress", { percent: 40, title: "Import", description: "row 4", user: "ada@example.com" });
    const message = { percent: 40, title: "Import", description: "row 4" };
    assert.deepEqual(await events.take(1), [["progress", message]]);
});

test("a task's room needs no permission", async () => {
    const ada = await server.join("ada");
    const events = record(ada, ["pong"]);
    ada.emit("task_subscribe", "t1");
    ada.emit("ping");
    await next(ada, "pong");
    await server.publish({ task_id: "t1", message: { step: 1 } });
    assert.deepEqual(await events.take(1), [["task_progress", { step: 1, task_id: "t1" }]]);
});
