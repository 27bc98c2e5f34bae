// The JavaScript handler host:
// `node host.js --bench DIR --socket PATH --id ID [--parent PID] [--replaces ID]`.
//
// Runs each app's realtime/handlers.js in this process, attached to the server's local socket.
// The supervisor starts it and starts it again; it needs Node 18 or later and nothing else.

"use strict";

const path = require("node:path");
const { parseArgs } = require("node:util");
const { Host } = require("./node/host");

const USAGE =
    "usage: node host.js --bench DIR --socket PATH --id ID [--parent PID] [--replaces ID]";
const WATCH_MS = 1000; // between two looks whether the parent is there
const DRAIN_MS = 9000; // the server gives a replaced host 10 s
const STOP_MS = 800; // the supervisor gives a stopped one a second
// gunicorn's master takes children that end so for workers of its own that could not start.
const GUNICORN_STATUS = new Set([3, 4]);

function log(text) {
    process.stderr.write(`frappe_rt handlers (node ${process.pid}): ${text}\n`);
}

function readOptions() {
    const text = { type: "string" };
    const options = { bench: text, socket: text, id: text, parent: text, replaces: text };
    const { values } = parseArgs({ options });
    for (const name of ["bench", "socket", "id"])
        if (!values[name]) throw new Error(`--${name} is missing`);
    return values;
}

/** The link ends with the server, unless a forked child of its process still holds it open. */
function watchParent(pid, host) {
    if (!pid) return;
    setInterval(() => {
        if (process.ppid !== Number(pid)) host.leave("the process of the server has gone");
    }, WATCH_MS).unref();
}

function watchExit(host) {
    process.on("exit", (status) => {
        if (!host.leaving) log(`an app has ended this process with status ${status}`);
        if (GUNICORN_STATUS.has(status)) process.exitCode = 1;
    });
}

async function main() {
    let options;
    try {
        options = readOptions();
        process.chdir(path.join(options.bench, "sites")); // where Frappe's own server runs
    } catch (error) {
        log(`${error.message}; ${USAGE}`);
        process.exit(2);
    }
    // What the supervisor no longer reads must not end us through an error nobody hears.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    const host = new Host({
        ...options,
        drainMs: DRAIN_MS,
        log,
        exit: (code) => process.exit(code),
    });
    host.errors.watch(process);
    watchExit(host);
    host.load();
    watchParent(options.parent, host);
    if (!(await host.mayAttach(options.socket))) return;
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => host.drain(STOP_MS));
    host.start(options.socket);
}

main();
