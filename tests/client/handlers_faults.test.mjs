// What an app does to its host, clients without its events do not notice.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { Bench, BenchServer } from "./handlers_support.mjs";
import { Site } from "./site.mjs";
import { eventually, next, within } from "./support.mjs";

const FAULTY = `
const fs = require("fs"), kept = [];
module.exports = (socket) => {
    socket.on("echo", (n, reply) => reply(n));
    socket.on("throw", () => { throw new Error("thrown") });
    socket.on("reject", async () => { throw new Error("rejected") });
    socket.on("block", (flag, reply) => { fs.writeFileSync(flag + "in", ""); while (!fs.existsSync(flag)); reply("awake"); });
    socket.on("flood", (count) => { for (let n = 0; n < count; n++) socket.nsp.to("user:ada").emit("n", n) });
    socket.on("die", () => process.kill(process.pid, "SIGKILL"));
    socket.on("leak", () => { for (;;) kept.push(new Array(100000).fill({})) });
};`;

let site, bench, server, hosts;
before(async () => {
    site = await Site.start(["faulty"]);
});
after(() => site.close());
afterEach(async () => {
    await server.close();
    for (const host of hosts) await host.ended();
    await bench.remove();
});

async function begin(options) {
    hosts = [];
    bench = await Bench.make({ apps: { faulty: FAULTY } });
    server = await BenchServer.start(bench, { webserver_port: site.port });
    await attach(options);
}

/** One more host, with a number of its own. */
async function attach(options = {}) {
    const id = `host-number-${String(hosts.length).padStart(8, "0")}`;
    const host = await server.attach({ id, ...options });
    hosts.push(Object.assign(host, { id }));
    return host;
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

test("a handler that throws or rejects", async () => {
    await begin();
    const [ada, grace] = [await server.join("ada"), await server.join("grace")];
    for (const event of ["throw", "reject"]) {
        ada.emit(event);
        assert.equal(await echo(ada, event), event);
    }
    await isUndisturbed(grace);
    for (const text of ["event throw: Error: thrown", "event reject: Error: rejected"])
        await hosts[0].says(`app faulty, ${text}`);
});

test("a handler that blocks holds up its own events alone", async () => {
    await begin();
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

test("a handler that floods: each emit comes, in order, and nobody else waits for them", async () => {
    await begin();
    const [ada, grace] = [await server.join("ada"), await server.join("grace")];
    const count = 100000;
    let expected = 0;
    ada.on("n", (n) => {
        if (n === expected) expected++;
    });
    grace.emit("flood", count);
    await isUndisturbed(grace);
    await eventually("the whole flood", () => expected === count, 60000);
    assert.equal(await echo(grace, 1), 1);
});

for (const [how, event, options] of [
    ["is killed", "die", {}],
    ["runs out of memory", "leak", { env: { NODE_OPTIONS: "--max-old-space-size=40" } }],
]) {
    test(`a host that ${how} in an event: that event has no answer, and another host takes over`, async () => {
        await begin(options);
        const [ada, grace] = [await server.join("ada"), await server.join("grace")];
        const answer = ada.timeout(1000).emitWithAck(event);
        await Promise.all([isUndisturbed(grace), assert.rejects(answer, /timed out/)]);
        assert.notEqual(await hosts[0].ended(), 0);
        await isUndisturbed(ada);
        await attach();
        assert.equal(await echo(ada, "again"), "again"); // the same connection
    });
}
