// The JavaScript handler host: `node host.js --bench DIR --socket PATH --id ID [--replaces ID]`.
//
// Runs each app's realtime/handlers.js in this process, attached to the server's local socket.
// The supervisor starts it and starts it again; it needs Node 18 or later and nothing else.

"use strict";

const { parseArgs } = require("node:util");
const { Host } = require("./node/host");

const USAGE = "usage: node host.js --bench DIR --socket PATH --id ID [--replaces ID]";

function log(text) {
    process.stderr.write(`frappe_rt handlers (node ${process.pid}): ${text}\n`);
}

function readOptions() {
    const text = { type: "string" };
    const options = { bench: text, socket: text, id: text, replaces: text };
    const { values } = parseArgs({ options });
    for (const name of ["bench", "socket", "id"])
        if (!values[name]) throw new Error(`--${name} is missing`);
    return values;
}

function main() {
    let options;
    try {
        options = readOptions();
    } catch (error) {
        log(`${error.message}; ${USAGE}`);
        process.exit(2);
    }
    // What the supervisor no longer reads must not end us through an error nobody hears.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    const exit = (code) => process.exit(code);
    const host = new Host({ ...options, log, exit });
    host.errors.watch(process);
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => host.drain());
    host.start(options.socket);
}

main();
