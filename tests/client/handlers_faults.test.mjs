// What an app does to its host, clients without its events do not notice: neither while it does
// that nor when the host ends of it, and the next one serves the same connections. Both languages,
// as `python -m frappe_rt serve` runs them.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { Bench, BenchServer } from "./handlers_support.mjs";
import { Site } from "./site.mjs";
import { PATIENCE_MS, PYTHON, eventually, next, within } from "./support.mjs";

const FLOOD = 100000;
/** How a host gets little memory, and what it says when that is used up. */
const LITTLE_MEMORY = {
    javascript: {
        env: { NODE_OPTIONS: "--max-old-space-size=40" },
        lastWords: "heap out of memory",
    },
    python: {
        interpreter: `#!/bin/sh\nulimit -v 400000\nexec ${PYTHON} "$@"\n`,
        lastWords: "has used up its memory",
    },
};

const FAULTY = {
    javascript: {
        "realtime/handlers.js": `
const fs = require("fs"), kept = [];
module.exports = (socket) => {
    socket.on("echo", (n, reply) => reply(n));
    socket.on("throw", () => { throw new Error("thrown") });
    socket.on("reject", async () => { throw new Error("rejected") });
    socket.on("block", (flag, reply) => { fs.writeFileSync(flag + "in", ""); while (!fs.existsSync(flag)); reply("awake"); });
    socket.on("flood", (count) => { for (let n = 0; n < count; n++) socket.nsp.to("user:ada").emit("n", n) });
    socket.on("die", () => process.kill(process.pid, "SIGKILL"));
    socket.on("leak", () => { for (;;) kept.push(new Array(100000).fill({})) });
};`,
    },
    python: {
        "faulty/__init__.py": "",
        "faulty/realtime/__init__.py": "",
        "faulty/realtime/handlers.py": `
import os, signal
from pathlib import Path
from frappe_rt.handlers import realtime

kept = []

@realtime.on("echo")
async def echo(socket, n):
    return n

@realtime.on("throw")
def throw(socket):
    raise ValueError("thrown")

@realtime.on("reject")
async def reject(socket):
    raise ValueError("rejected")

@realtime.on("block")
async def block(socket, flag):
    Path(flag + "in").touch()
    while not Path(flag).exists():
        pass
    return "awake"

@realtime.on("flood")
async def flood(socket, count):
    for n in range(count):
        await socket.emit("n", n, room="user:ada")

@realtime.on("die")
async def die(socket):
    os.kill(os.getpid(), signal.SIGKILL)

@realtime.on("leak")
async def leak(socket):
    while True:
        kept.append([object()] * 100000)
`,
    },
};

let site, bench, server;
before(async () => {
    site = await Site.start(["faulty"]);
});
after(() => site.close());
afterEach(async () => {
    await server.close();
    await bench.remove();
});

async function begin(language, { interpreter, env } = {}) {
    bench = await Bench.make({ apps: { faulty: FAULTY[language] } });
    if (interpreter) {
        await bench.write("env/bin/python", interpreter);
        await chmod(path.join(bench.folder, "env/bin/python"), 0o755);
    }
    const config = { webserver_port: site.port, frappe_rt_handlers: "auto" };
    server = await BenchServer.start(bench, config, env);
    return activeHost();
}

/** The host that serves, when it is another than this process. */
function activeHost(not = 0) {
    return eventually("a host", async () => {
        const { hosts } = await server.ask({ rt: "hosts" });
        return hosts.find(({ pid, state }) => pid !== not && state === "active");
    });
}

/** A client's pings are answered, and the server's news reach it, without any host. */
async function isUndisturbed(client) {
    for (let n = 0; n < 20; n++) {
        client.emit("ping");
        await next(client, "pong");
    }
    assert.ok(client.connected);
}

const echo = (client, n) => within(`echo of ${n}`, client.emitWithAck("echo", n));
const says = (text) => eventually(`"${text}"`, () => server.child.output.includes(text));

for (const language of Object.keys(FAULTY)) {
    test(`${language}: a handler that throws or rejects`, async () => {
        await begin(language);
        const [ada, grace] = [await server.join("ada"), await server.join("grace")];
        for (const event of ["throw", "reject"]) {
            ada.emit(event);
            assert.equal(await echo(ada, event), event);
        }
        await isUndisturbed(grace);
        for (const text of ["Error: thrown", "Error: rejected"]) await says(text);
    });

    test(`${language}: a handler that blocks holds up its own events alone`, async () => {
        await begin(language);
        const [ada, grace] = [await server.join("ada"), await server.join("grace")];
        const flag = path.join(bench.folder, "flag");
        let state = "blocked";
        const awake = ada.emitWithAck("block", flag).then((answer) => (state = answer));
        await eventually("the handler is blocked", () => existsSync(`${flag}in`));
        const late = ada.emitWithAck("echo", "late");
        await isUndisturbed(grace);
        await isUndisturbed(ada);
        await isUndisturbed(await server.join("customer"));
        assert.equal(state, "blocked");
        await bench.write("flag", "");
        assert.equal(await within("the end of the block", awake), "awake");
        assert.equal(await late, "late");
    });

    test(`${language}: a handler that floods: each emit comes, in order, and nobody else waits`, async () => {
        await begin(language);
        const [ada, grace] = [await server.join("ada"), await server.join("grace")];
        const customer = await server.join("customer");
        let expected = 0;
        ada.on("n", (n) => {
            if (n === expected) expected++;
        });
        grace.emit("flood", FLOOD);
        await isUndisturbed(customer);
        assert.equal(await echo(customer, "meanwhile"), "meanwhile");
        await eventually("the whole flood", () => expected === FLOOD, 2 * PATIENCE_MS);
        const host = await activeHost();
        assert.ok(host.emits >= FLOOD);
        assert.deepEqual([host.lines_skipped, host.events_lost], [0, 0]);
        for (const client of [ada, grace, customer]) await isUndisturbed(client);
        assert.equal(await echo(grace, 1), 1);
    });

    const little = LITTLE_MEMORY[language];
    // A sanitizer needs an address space of its own.
    const skip = Boolean(little.interpreter) && PYTHON.includes("sanitize");
    for (const [how, event, options, limits, text] of [
        ["is killed", "die", {}, {}, "ended by signal 9"],
        ["runs out of memory", "leak", { skip }, little, little.lastWords],
    ])
        test(`${language}: a host that ${how} in an event does not answer it, and is soon back`, options, async () => {
            const first = await begin(language, limits);
            const [ada, grace] = [await server.join("ada"), await server.join("grace")];
            const [answers, drops] = [[], []];
            for (const client of [ada, grace]) client.on("disconnect", (why) => drops.push(why));
            ada.emit(event, (...answer) => answers.push(answer));
            const back = activeHost(first.pid);
            await isUndisturbed(grace);
            await back;
            for (const client of [ada, grace]) {
                await isUndisturbed(client);
                assert.equal(await echo(client, "again"), "again"); // the same connection
            }
            assert.deepEqual([answers, drops], [[], []]);
            await says(text);
            await says("starting them again in 0.2");
        });
}
