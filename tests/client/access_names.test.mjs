// Names of documents and doctypes: the same room from Python, from Redis and from a page, whatever is
// in the name; and no name that leads into a room which is not the client's.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Generation } from "./generations.mjs";
import { SITE, eventually, next, record } from "./support.mjs";

let server;
before(async () => (server = await Generation.start("develop")));
after(() => server.close());
afterEach(() => server.calm());

const NAMES = [
    "T-1", "a/b", "/", "//a//", "../../user:grace@example.com", "it's \"quoted\"", "back\\slash", "a b  c", " a ",
    "50% & more?x=1#y", "a:b", "<b>x</b>", "{\"a\":1}", "[]", "null", "\u00fcber", "u\u0308", "\u65e5\u672c\u8a9e",
    "\u0627\u0644\u0639", "\ud83d\ude00", "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67", "\u2028\u2029", "tab\tnew\nline", "\u007f\u0080\ufeff",
    "__proto__", "x".repeat(140), "\ud83d\ude00".repeat(140), "/".repeat(140), "\\\"".repeat(70), 7, -5, 0, "007",
];
const DOCTYPES = ["ToDo", "Sales Order", "Gesch\u00e4ft \ud83d\ude00", "x".repeat(61)];

test("every name leads to the same room from a page, from Python and from Redis", async () => {
    const ada = await server.join("ada");
    const events = record(ada, ["pong"]);
    for (const doctype of DOCTYPES) {
        for (const docname of doctype === DOCTYPES[0] ? NAMES : NAMES.slice(0, 5)) {
            ada.emit("doc_subscribe", doctype, docname);
            await eventually("the answer", async () => (await server.ask("stats")).rooms === 4);
            await server.publish({ event: "python", message: { docname }, doctype, docname });
            await server.redis.publish(JSON.stringify({
                event: "redis", message: { docname }, namespace: SITE, room: `doc:${doctype}/${docname}`,
            }));
            const what = JSON.stringify([doctype, docname]);
            const heard = (await events.take(2)).map(([event, message]) => [event, message.docname]).sort();
            assert.deepEqual(heard, [["python", docname], ["redis", docname]], what);
            ada.emit("doc_unsubscribe", doctype, docname);
            await eventually("the end", async () => (await server.ask("stats")).rooms === 3);
        }
        ada.emit("doctype_subscribe", doctype);
        await eventually("the list", async () => {
            await server.publish({ event: "list_update", message: { doctype } });
            return events.length;
        });
        ada.emit("doctype_unsubscribe", doctype);
        await eventually("the end", async () => (await server.ask("stats")).rooms === 3);
        const pong = next(ada, "pong"); // behind every list_update that was on its way
        ada.emit("ping");
        await pong;
        events.splice(0);
    }
    assert.equal((await server.ask("stats")).frappe.client_events_ignored, 0);
});

test("a name goes back to viewers as it came", async () => {
    for (const docname of ["a/b", "it's \"quoted\"", "\ud83d\ude00", 7, "007"]) {
        const [ada, grace] = [await server.join("ada"), await server.join("grace")];
        const events = record(ada);
        for (const client of [ada, grace]) client.emit("doc_open", "Sales Order", docname);
        const users = ["ada@example.com", "grace@example.com"];
        await eventually("both", () => events.at(-1)?.[1].users.length === 2);
        const [event, message] = events.at(-1);
        assert.equal(event, "doc_viewers");
        assert.deepEqual({ ...message, users: message.users.sort() }, { doctype: "Sales Order", docname, users });
        server.closeClients();
    }
});

test("what is no name is ignored and counted", async () => {
    const ada = await server.join("ada");
    const ignored = async () => (await server.ask("stats")).frappe.client_events_ignored;
    const earlier = await ignored();
    const bad = [[], [""], [null], [true], [{}], [[]], [["ToDo"]], ["a\u0000b"], ["\ud800"], ["x\udc00"], [5]];
    for (const args of bad) ada.emit("doctype_subscribe", ...args);
    const two = [["ToDo"], ["ToDo", ""], ["ToDo", null], ["ToDo", {}], ["ToDo", false], ["ToDo", "\u0000"], [7, "a"]];
    for (const event of ["doc_subscribe", "doc_unsubscribe", "doc_open", "doc_close"])
        for (const args of two) ada.emit(event, ...args);
    for (const args of [[], [null], [""], [{}], ["\u0000"]]) ada.emit("task_subscribe", ...args);
    const count = bad.length + 4 * two.length + 5;
    await eventually("all of them", async () => (await ignored()) - earlier === count);
    assert.equal(ada.connected, true);
    const { rooms, frappe } = await server.ask("stats");
    assert.equal(rooms, 3); // website, all, his own
    assert.equal(frappe.names_over_max, 0);
    ada.emit("task_subscribe", "x".repeat(1025));
    await eventually("the long one", async () => (await server.ask("stats")).frappe.names_over_max === 1);
});

test("bytes that are no UTF-8 end the connection they came on, and no other", async () => {
    const ada = await server.join("ada");
    const headers = { origin: "http://127.0.0.1", cookie: "sid=grace" };
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(url, { headers })).text()).slice(1));
    const post = (body) => fetch(`${url}&sid=${sid}`, { method: "POST", headers, body });
    assert.equal((await post(`40/${SITE},`)).status, 200);
    assert.match(await (await fetch(`${url}&sid=${sid}`, { headers })).text(), /^40/);
    await post(Buffer.from(`42/${SITE},["doctype_subscribe","a\xff"]`, "latin1"));
    await eventually("its end", async () => (await server.ask("stats")).clients === 1);
    const pong = next(ada, "pong");
    ada.emit("ping");
    await pong;
});

test("no name leads into somebody else's room", async () => {
    const grace = "user:grace@example.com";
    const customer = await server.join("customer");
    const events = record(customer, ["pong"]);
    const names = [grace, "all", "website", "", "/", `\n${grace}`, `../${grace}`, `/one.localhost/${grace}`, "\u0000all"];
    for (const name of names) {
        customer.emit("task_subscribe", name);
        customer.emit("progress_subscribe", name);
        customer.emit("doctype_subscribe", name);
        for (const event of ["doc_subscribe", "doc_open"]) {
            customer.emit(event, name, "x");
            customer.emit(event, "ToDo", name);
            customer.emit(event, "user", `grace@example.com`);
        }
    }
    for (const event of ["join", "subscribe", "user", "all", grace]) customer.emit(event, grace);
    const pong = next(customer, "pong");
    customer.emit("ping");
    await pong;
    await eventually("all answers", async () => (await server.ask("stats")).questions_in_flight === 0);
    for (const room of [grace, "all"]) await server.publish({ event: "not yours", room });
    await server.redis.publish(JSON.stringify({ event: "not yours", message: 1, namespace: "two.localhost", room: "website" }));
    await server.redis.publish(JSON.stringify({ event: "not yours", message: 1, namespace: "two.localhost" }));
    await server.redis.publish(JSON.stringify({ event: "end", message: 1, namespace: SITE, room: "website" }));
    assert.deepEqual(await events.take(1), [["end", 1]]);
});
