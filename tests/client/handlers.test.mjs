// The sample apps under npm's socket.io and under frappe_rt, there in JavaScript and in Python: one
// script, and what every client gets to see compared. What Node's server shows is the reference.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Bench, BenchServer, SAMPLES } from "./handlers_support.mjs";
import { play, withoutWhatPythonLacks } from "./handlers_script.mjs";
import { Reference, Site } from "./site.mjs";
import { TRANSPORTS, eventually } from "./support.mjs";

const APPS = ["chat", "document", "telephony"];
const CONFIG = { telephony_provider: "Example Ltd" };

/** What the clients of `start(bench, site)` saw and emitted, and what notes were written. */
async function run(benchOptions, start, options, readNotes = (_, site) => site.notes) {
    const site = await Site.start(APPS);
    const bench = await Bench.make({ config: CONFIG, ...benchOptions });
    const server = await start(bench, site);
    const seen = await play(server, options);
    await server.close();
    site.close();
    const notes = await readNotes(bench, site);
    await bench.remove();
    return { ...seen, notes };
}

const underNode = (options) =>
    run({ samples: APPS }, (bench, site) => Reference.start(bench, APPS, site), options);

async function serve(bench, site) {
    const server = await BenchServer.start(bench, {
        ...CONFIG,
        webserver_port: site.port,
        frappe_rt_handlers: "auto",
    });
    await eventually("a host", async () => {
        const { hosts } = await server.ask({ rt: "hosts" });
        return hosts.some(({ state }) => state === "active");
    });
    return server;
}

async function readPythonNotes(bench) {
    const text = await readFile(path.join(bench.folder, "notes"), "utf8");
    return text.trim().split("\n").map(JSON.parse);
}

function compare(ours, theirs) {
    for (const [n, step] of theirs.transcript.entries())
        assert.deepEqual(ours.transcript[n], step);
    assert.equal(ours.transcript.length, theirs.transcript.length);
    assert.deepEqual(ours.notes, theirs.notes);
}

/** Names that stand behind `call` in the apps' files of that kind. */
async function namesIn(kind, call) {
    const files = APPS.map((app) => path.join(SAMPLES, kind(app), "realtime/handlers"));
    const suffix = kind("x") === "x" ? "js" : "py";
    const texts = await Promise.all(files.map((file) => readFile(`${file}.${suffix}`, "utf8")));
    return new Set([...texts.join().matchAll(call)].map(([, name]) => name));
}

test("both languages take the same events, and the script has all and shows all", async () => {
    const { transcript, emitted } = await underNode(TRANSPORTS["websocket only"]);
    const own = ["connect", "disconnect", "disconnecting", "error"];
    const ofClients = (names) => [...names].filter((name) => !own.includes(name)).sort();
    const taken = await namesIn((app) => app, /socket\.on(?:ce)?\("(\w+)"/g);
    const takenInPython = await namesIn((app) => `${app}/${app}`, /realtime\.on\("(\w+)"/g);
    assert.ok(taken.size > 30);
    assert.deepEqual(ofClients(takenInPython), ofClients(taken));
    const nobodys = ["nobody listens to this"];
    assert.deepEqual([...emitted].sort(), [...ofClients(taken), ...nobodys].sort());
    const seen = JSON.stringify(transcript);
    const shown = await namesIn((app) => app, /emit(?:WithAck)?\("(\w+)"/g);
    assert.ok(shown.size > 15);
    const behindNote = ["chat_alive", "phone_alive"]; // waited for at each step
    for (const event of shown)
        assert.ok(behindNote.includes(event) || seen.includes(`["${event}"`), event);
});

for (const [name, options] of Object.entries(TRANSPORTS))
    test(`what clients see of the sample apps is what Node shows them, ${name}`, async (t) => {
        const theirs = await underNode(options);
        assert.equal(theirs.notes.length, 2, "the script ran");
        await t.test("of the JavaScript ones", async () => {
            compare(await run({ samples: APPS }, serve, options), theirs);
        });
        await t.test("of the Python ones", async () => {
            const ours = await run({ python: APPS }, serve, options, readPythonNotes);
            const [shown, reference] = [ours, theirs].map((seen) => ({
                ...seen,
                transcript: withoutWhatPythonLacks(seen.transcript),
            }));
            compare(shown, reference);
        });
    });
