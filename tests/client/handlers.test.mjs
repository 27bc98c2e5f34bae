// The same handlers.js files under frappe_rt and under npm's socket.io: one script, two servers,
// and what every client gets to see compared.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench, BenchServer } from "./handlers_support.mjs";
import { play, write } from "./handlers_script.mjs";
import { Reference, Site } from "./site.mjs";
import { TRANSPORTS, eventually } from "./support.mjs";

const APPS = ["chat", "document", "telephony"];

async function underNode(options) {
    const site = await Site.start(APPS);
    const bench = await Bench.make({ samples: APPS });
    const server = await Reference.start(bench, APPS, site);
    const transcript = await play(server, options);
    await server.close();
    site.close();
    await bench.remove();
    return [transcript, site.notes];
}

async function underOurs(options) {
    const site = await Site.start(APPS);
    const bench = await Bench.make({ samples: APPS });
    const server = await BenchServer.start(bench, { webserver_port: site.port });
    const host = await server.attach();
    const transcript = await play(server, options);
    await server.close();
    await host.ended();
    site.close();
    await bench.remove();
    return [transcript, site.notes];
}

for (const [name, options] of Object.entries(TRANSPORTS)) {
    test(`what clients see of the sample apps is what Node shows them, ${name}`, async () => {
        const [theirs, theirNotes] = await underNode(options);
        const [ours, ourNotes] = await underOurs(options);
        assert.ok(theirs.length > 30, "the script ran");
        for (const [n, step] of theirs.entries()) assert.deepEqual(ours[n], step);
        assert.equal(ours.length, theirs.length);
        assert.deepEqual(ourNotes, theirNotes);
    });
}

/** What both need besides the document: an answer that comes behind all that was sent before. */
const ALIVE = {
    "realtime/handlers.js": `module.exports = (socket) => socket.on("ping", () => socket.emit("chat_alive"));`,
};
const PYTHON_ALIVE = {
    "alive/__init__.py": "",
    "alive/realtime/__init__.py": "",
    "alive/realtime/handlers.py": [
        "from frappe_rt.handlers import realtime",
        `@realtime.on("ping")`,
        "async def ping(socket):",
        `    await socket.emit("chat_alive")`,
    ].join("\n"),
};

async function writeIn(benchOptions, options) {
    const site = await Site.start(["alive", "document"]);
    const bench = await Bench.make(benchOptions);
    const server = await BenchServer.start(bench, {
        webserver_port: site.port,
        frappe_rt_handlers: "auto",
    });
    await eventually("a host", async () => {
        const { hosts } = await server.ask({ rt: "hosts" });
        return hosts.some(({ state }) => state === "active");
    });
    const transcript = await play(server, options, [write]);
    await server.close();
    site.close();
    await bench.remove();
    return transcript;
}

for (const [name, options] of Object.entries(TRANSPORTS))
    test(`the document in Python is to clients what it is in JavaScript, ${name}`, async () => {
        const theirs = await writeIn({ apps: { alive: ALIVE }, samples: ["document"] }, options);
        const ours = await writeIn(
            { apps: { alive: PYTHON_ALIVE }, python: ["document"] },
            options,
        );
        assert.ok(theirs.length > 8, "the script ran");
        assert.deepEqual(ours, theirs);
    });
