// Who has a document open.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { GENERATIONS, Generation, openDesk } from "./generations.mjs";
import { eventually, next, record } from "./support.mjs";

const [DOCTYPE, DOCNAME] = ["ToDo", "T-1"];

for (const generation of GENERATIONS) describe(generation, () => {
    let server;
    before(async () => (server = await Generation.start(generation)));
    after(() => server.close());
    afterEach(() => server.calm());

    async function open(sid, docname = DOCNAME) {
        const client = await server.join(sid);
        const events = record(client, ["pong"]);
        client.emit("doc_open", DOCTYPE, docname);
        return { client, events };
    }

    /** Waits for the users of the last `doc_viewers`. */
    function see({ events }, users, docname = DOCNAME) {
        return eventually(`viewers ${users}, have ${JSON.stringify(events)}`, () => {
            const [event, message] = events.at(-1) ?? [];
            if (event !== "doc_viewers") return false;
            assert.deepEqual(Object.keys(message).sort(), ["docname", "doctype", "users"]);
            assert.equal(message.doctype, DOCTYPE);
            assert.equal(message.docname, docname);
            return JSON.stringify([...message.users].sort()) === JSON.stringify(users);
        });
    }

    test("two users see each other come and go", async () => {
        const ada = await open("ada");
        const grace = await open("grace");
        const both = ["ada@example.com", "grace@example.com"];
        await Promise.all([see(ada, both), see(grace, both)]);
        grace.client.emit("doc_close", DOCTYPE, DOCNAME);
        await see(ada, ["ada@example.com"]);
        grace.client.emit("doc_open", DOCTYPE, DOCNAME);
        await see(ada, both);
        grace.client.disconnect();
        await see(ada, ["ada@example.com"]);
    });

    test("two tabs of one user are one viewer", async () => {
        const first = await open("ada");
        const second = await open("ada");
        await Promise.all([see(first, ["ada@example.com"]), see(second, ["ada@example.com"])]);
        const grace = await open("grace");
        second.client.disconnect();
        const both = ["ada@example.com", "grace@example.com"];
        await Promise.all([see(first, both), see(grace, both)]);
    });

    test("who is alone is told nothing, and repeats change nothing", async () => {
        const { client, events } = await open("ada", "T-alone");
        client.emit("doc_open", DOCTYPE, "T-alone");
        client.emit("ping");
        await next(client, "pong");
        await server.publish({ event: "end", user: "ada@example.com" });
        assert.deepEqual(await events.take(1), [["end", {}]]);
    });

    test("a document named by a number keeps its number", async () => {
        const ada = await open("ada", 17);
        await open("grace", 17);
        await see(ada, ["ada@example.com", "grace@example.com"], 17);
    });

    test("guests open nothing they may not see", async () => {
        const ada = await open("ada");
        const guest = await open("Guest");
        const grace = await open("grace");
        await see(ada, ["ada@example.com", "grace@example.com"]);
        await see(grace, ["ada@example.com", "grace@example.com"]);
        assert.equal(guest.events.length, 0);
    });

    test("after a restart of the server everybody sees who is there", async () => {
        const wanted = [["doc_open", DOCTYPE, DOCNAME]];
        const pages = ["ada", "grace", "grace"].map((sid) => {
            const client = openDesk(server, sid, wanted, { reconnectionDelay: 100 });
            return { client, events: record(client) };
        });
        const both = ["ada@example.com", "grace@example.com"];
        await Promise.all(pages.map((page) => see(page, both)));
        for (const { events } of pages) events.splice(0);
        await server.restart();
        await Promise.all(pages.map((page) => see(page, both)));
        pages[1].client.io.engine.transport.close(); // a tab that crashes, without a word
        pages[1].client.io.reconnection(false);
        await server.publish({ event: "still", user: "grace@example.com" });
        await eventually("the other tab", () => pages[2].events.some(([event]) => event === "still"));
        pages[2].client.disconnect();
        await see(pages[0], ["ada@example.com"]);
    });
});
