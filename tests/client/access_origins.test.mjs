// Pages of other hosts: what configuration allows, globally and per site, and when it counts.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { InProcess, SITE, Serve, TRANSPORTS, eventually } from "./support.mjs";

const PAGE = "https://app.example";
let web, server;
before(async () => {
    web = await InProcess.start();
    server = await Serve.start({ frappe_rt_redis: false, webserver_port: web.web });
    await mkdir(path.join(server.bench, "sites", SITE));
});
after(async () => {
    await server.close();
    await web.close();
});
afterEach(async () => {
    server.closeClients();
    await write("common_site_config.json", {});
    await write(`${SITE}/site_config.json`, {});
    await eventually("forgetting", async () => !(await preflight()).headers.get("access-control-allow-origin"));
});

/** Everything in the file is read again, so the common one goes on saying what it said. */
async function write(name, config) {
    const kept = name === "common_site_config.json" ? server.config : {};
    await writeFile(path.join(server.bench, "sites", name), JSON.stringify({ ...kept, ...config }));
}

const preflight = (origin = PAGE) =>
    fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, {
        method: "OPTIONS",
        headers: {
            origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        },
    });

const isAllowed = async (origin) => (await preflight(origin)).headers.get("access-control-allow-origin") === origin;

/** The three decisions, which must be one. */
async function assertAllowed(origin) {
    const asked = await preflight(origin);
    assert.equal(asked.headers.get("access-control-allow-origin"), origin);
    assert.equal(asked.headers.get("access-control-allow-credentials"), "true");
    assert.match(asked.headers.get("access-control-allow-methods"), /POST/);
    assert.match(asked.headers.get("vary"), /Origin/);
    const poll = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    assert.equal(poll.headers.get("access-control-allow-origin"), origin);
    assert.equal(poll.headers.get("access-control-allow-credentials"), "true");
    for (const transport of Object.values(TRANSPORTS)) await server.join("ada", { ...transport, headers: { origin } });
}

async function assertRefused(origin) {
    assert.equal((await preflight(origin)).headers.get("access-control-allow-origin"), null);
    for (const transport of Object.values(TRANSPORTS)) {
        const message = await server.refusal("ada", { ...transport, headers: { origin } });
        assert.match(message, /^Invalid (origin|namespace).*socketio_allowed_origins/);
    }
}

for (const key of ["socketio_allowed_origins", "allow_cors"]) {
    for (const [where, file] of [["globally", "common_site_config.json"], ["per site", `${SITE}/site_config.json`]]) {
        test(`${key} ${where}, read again when the file changes`, async () => {
            await assertRefused(PAGE);
            await write(file, { [key]: [PAGE, "https://other.example"] });
            await eventually("the new list", () => isAllowed(PAGE));
            await assertAllowed(PAGE);
            await assertAllowed("https://other.example");
            await assertRefused("https://evil.example");
            await write(file, { [key]: "https://other.example" });
            await eventually("the shorter list", async () => !(await isAllowed(PAGE)));
            await assertRefused(PAGE);
        });
    }
}

test("a list of one site opens no other", async () => {
    await mkdir(path.join(server.bench, "sites/two.localhost"));
    await write("two.localhost/site_config.json", { allow_cors: "*" });
    await eventually("the list", async () => {
        const asked = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, {
            headers: { origin: PAGE, "x-frappe-site-name": "two.localhost" },
        });
        return asked.headers.get("access-control-allow-origin") === PAGE;
    });
    await assertRefused(PAGE);
});

test("what is written half changes nothing", async () => {
    await write(`${SITE}/site_config.json`, { allow_cors: PAGE });
    await eventually("the list", () => isAllowed(PAGE));
    await writeFile(path.join(server.bench, "sites", SITE, "site_config.json"), '{"allow_cors": "https');
    await eventually("a look at it", async () => {
        await preflight(); // nothing is looked at before somebody wants to know
        return server.child.output.includes("not valid JSON: the text ends too early; the origins");
    });
    await assertAllowed(PAGE);
});
