// Hosts of both languages as `python -m frappe_rt serve` runs them: started, started again when
// they end, replaced under load without a connection or an event lost, stopped.
//
// 500 clients and 100 replacements with FRAPPE_RT_THOROUGH=1.

import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { Bench, BenchServer } from "./handlers_support.mjs";
import { Site } from "./site.mjs";
import { eventually, next, sleep, within } from "./support.mjs";

const THOROUGH = Boolean(process.env.FRAPPE_RT_THOROUGH);
const CLIENTS = THOROUGH ? 500 : 40;
const RELOADS = THOROUGH ? 100 : 5;
const PAUSE_MS = 40; // after three events: a client may send 100 a second
const BACK_MS = THOROUGH ? 2000 : Infinity; // promised of a host that was killed, by a machine at rest

/** An app in either language: `count` is answered with the version of its file. */
const APPS = {
    javascript: {
        file: "realtime/handlers.js",
        text: (version) =>
            `module.exports = (socket) => {
                socket.on("count", (n, reply) => reply([${version}, n]));
                socket.on("die", () => process.kill(process.pid, "SIGKILL"));
            };`,
        empty: [],
        ends: "module.exports = () => {}; process.exit(7);",
        broken: `require("no such module");`,
        name: "JavaScript",
    },
    python: {
        file: "counting/realtime/handlers.py",
        text: (version) =>
            [
                "import os, signal",
                "from frappe_rt.handlers import realtime",
                `@realtime.on("count")`,
                "async def count(socket, n):",
                `    return [${version}, n]`,
                `@realtime.on("die")`,
                "async def die(socket):",
                "    os.kill(os.getpid(), signal.SIGKILL)",
            ].join("\n"),
        empty: ["counting/__init__.py", "counting/realtime/__init__.py"],
        ends: "import os; os._exit(7)",
        broken: "import no_such_module",
        name: "Python",
    },
};

let site, bench, server;
before(async () => {
    site = await Site.start(["counting"]);
});
after(() => site.close());
afterEach(async () => {
    await server.close();
    await bench.remove();
});

async function begin(app, text = app.text(0), { apps = {}, config = {} } = {}) {
    const files = Object.fromEntries(app.empty.map((name) => [name, ""]));
    bench = await Bench.make({ apps: { counting: { ...files, [app.file]: text }, ...apps } });
    server = await BenchServer.start(bench, {
        webserver_port: site.port,
        frappe_rt_handlers: "auto",
        ...config,
    });
}

/** In one step, as nobody sees it half written. */
async function replaceFile(app, text) {
    await bench.write("new", text);
    await rename(
        path.join(bench.folder, "new"),
        path.join(bench.folder, "apps/counting", app.file),
    );
}

/** The one host that runs, when it is another than this. */
async function another(pid) {
    const isIt = (host) => host.pid !== pid && host.state === "active";
    const [host] = await eventually(
        `a host that is not process ${pid}`,
        async () => {
            const { hosts } = await server.ask({ rt: "hosts" });
            return hosts.length === 1 && isIt(hosts[0]) && hosts;
        },
    );
    return host;
}

function isRunning(pid) {
    try {
        return process.kill(pid, 0);
    } catch {
        return false;
    }
}

/** Emits a few at a time; each answer must be its own, and come once. Returns the versions. */
async function load(client, running) {
    const versions = [];
    for (let n = 0; running.yes; n += 3) {
        const burst = [n, n + 1, n + 2];
        const answers = await Promise.all(
            burst.map((count) => within(`answer ${count}`, client.emitWithAck("count", count))),
        );
        assert.deepEqual(
            answers.map(([, count]) => count),
            burst,
        );
        versions.push(...answers.map(([version]) => version));
        await sleep(PAUSE_MS);
    }
    return versions;
}

test("a new JavaScript host knows the handshakes that the old one saw", async () => {
    const tell = "socket.emit('told', socket.recovered, socket.handshake.query, socket.handshake.auth)";
    await begin(APPS.javascript, `module.exports = (socket) => { ${tell} };`);
    let { pid } = await another(0);
    const auth = { token: "é", of: { n: 1 } };
    for (const transport of ["websocket", "polling"]) {
        const query = { link: "a b&c=d" };
        const client = server.connect("ada", { query, auth, transports: [transport] });
        const first = await next(client, "told");
        const { link, transport: by } = first[1];
        assert.deepEqual([first[0], link, by, first[2]], [false, "a b&c=d", transport, auth]);
        for (let reload = 0; reload < 2; reload++) {
            const again = next(client, "told");
            assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
            assert.deepEqual(await again, [true, ...first.slice(1)]);
            ({ pid } = await another(pid));
        }
        client.disconnect();
    }
});

for (const [language, app] of Object.entries(APPS)) {
    test(`${language}: a host that is killed in an event comes back, and goes with the server`, async (t) => {
        await begin(app);
        const client = await server.join("ada");
        const first = await another(0);
        assert.equal(first.language, language);
        assert.deepEqual(await client.emitWithAck("count", 1), [0, 1]);
        const began = Date.now();
        client.emit("die");
        const second = await another(first.pid);
        assert.deepEqual(await client.emitWithAck("count", 2), [0, 2]); // the same connection
        const took = Date.now() - began;
        t.diagnostic(`back after ${took} ms`);
        assert.ok(took < BACK_MS);
        assert.match(server.child.output, /ended by signal 9 after .* again in 0\.2\n/);
        const child = server.child;
        await server.close();
        assert.ok(!isRunning(second.pid));
        assert.doesNotMatch(child.output, /end.* with status/); // what is stopped is no failure
    });

    test(`${language}: a host that ends at once is started ever later`, async () => {
        await begin(app, app.ends);
        const client = await server.join("ada");
        for (const pause of ["0.2", "0.4", "0.8"]) {
            const line = `${app.name} handlers .* ended with status 7 .* again in ${pause}\n`;
            await eventually(line, () => new RegExp(line).test(server.child.output));
        }
        client.emit("ping");
        await next(client, "pong");
        await bench.write(`apps/counting/${app.file}`, app.text(1));
        assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
        await another(0);
        assert.deepEqual(await client.emitWithAck("count", 1), [1, 1]);
    });

    for (const developing of [false, true]) {
        const by = developing ? "in developer mode" : "by a reload";

        test(`${language}: what cannot be loaded replaces nothing ${by}`, async () => {
            await begin(app, app.text(0), { config: { developer_mode: Number(developing) } });
            const client = await server.join("ada");
            const { pid } = await another(0);
            const exchange = async (text) => {
                await replaceFile(app, text);
                if (!developing) assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
            };
            await exchange(app.broken);
            const told = `the new ${app.name} handlers ended with status 1; the old ones go on\n`;
            await eventually(told, () => server.child.output.includes(told));
            assert.deepEqual(await client.emitWithAck("count", 1), [0, 1]);
            await exchange(app.text(1));
            await another(pid);
            assert.deepEqual(await client.emitWithAck("count", 2), [1, 2]);
            const { output } = server.child;
            assert.equal(output.split(told).length, 2, output);
            const why = "not taking over, the old handlers go on: no new ones of counting\n";
            assert.equal(output.split(why).length, 2, output);
            assert.match(output, /no.such.module/);
        });
    }

    test(`${language}: an app that never worked keeps no other from a reload`, async () => {
        const beside = (name) => name.replace("counting", "broken");
        const files = app.empty.map((name) => [beside(name), ""]);
        const broken = Object.fromEntries([...files, [beside(app.file), app.broken]]);
        await begin(app, app.text(0), { apps: { broken } });
        const client = await server.join("ada");
        const first = await another(0);
        assert.deepEqual(first.apps, ["counting"]);
        await replaceFile(app, app.text(1));
        assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
        await another(first.pid);
        assert.deepEqual(await client.emitWithAck("count", 1), [1, 1]);
        await bench.write(`apps/broken/${beside(app.file)}`, app.text(2)); // mended
        assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
        await eventually("both apps", async () => {
            const { hosts } = await server.ask({ rt: "hosts" });
            return hosts.length === 1 && hosts[0].apps.length === 2;
        });
    });

    test(
        `${language}: replaced under load, no client is dropped and no event lost`,
        { timeout: 1800000 },
        async (t) => {
            await begin(app);
            let { pid } = await another(0);
            const drops = [];
            const clients = [];
            for (let n = 0; n < CLIENTS; n++) {
                const client = await server.join(n % 2 ? "ada" : "grace", {
                    transports: [n % 4 ? "websocket" : "polling"],
                });
                client.on("disconnect", (reason) => drops.push(reason));
                clients.push(client);
            }
            const running = { yes: true };
            const loads = Promise.all(clients.map((client) => load(client, running)));
            loads.catch(() => {}); // awaited below, after the replacing
            for (let version = 1; version <= RELOADS; version++) {
                await bench.write(`apps/counting/${app.file}`, app.text(version));
                assert.deepEqual(await server.ask({ rt: "reload" }), { ok: true });
                const host = await another(pid);
                assert.equal(host.events_lost, 0);
                pid = host.pid;
            }
            await sleep(2 * PAUSE_MS);
            running.yes = false;
            const versions = await loads;
            const count = versions.reduce((sum, of) => sum + of.length, 0);
            t.diagnostic(`${RELOADS} replacements, ${CLIENTS} clients, ${count} events`);
            assert.deepEqual(drops, []);
            for (const of of versions) {
                assert.ok(of.length > 0);
                assert.ok(of.every((version, n) => n === 0 || version >= of[n - 1]));
            }
            assert.deepEqual(await clients[0].emitWithAck("count", 1), [RELOADS, 1]);
        },
    );
}
