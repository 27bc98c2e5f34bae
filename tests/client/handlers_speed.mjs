// Measures events through a JavaScript handler host: `node handlers_speed.mjs`. Not a test.
//
// Latency: one event at a time, event -> handler -> ack against ping -> pong, which the server
// answers itself. Rate: bursts on many connections, each sent when the one before is answered.
// Every connection stays within the events that one client may send. The clients write frames that
// were made before, so they cost little.

import { once } from "node:events";
import net from "node:net";
import { Bench, BenchServer } from "./handlers_support.mjs";
import { Site } from "./site.mjs";
import { SITE } from "./support.mjs";

const PER_CLIENT = 390; // events; the server lets 400 through at once
const LATENCY_CLIENTS = 20;
const RATE_CLIENTS = 500;
const BURST = 39;

/** A masked text frame; a mask of zeros changes nothing. */
function frame(text) {
    const head = Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]);
    return Buffer.concat([head, Buffer.from(text)]);
}

async function open(port) {
    const peer = net.connect(port, "127.0.0.1").setNoDelay();
    peer.write(
        `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n` +
            `Cookie: sid=ada\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
    );
    await once(peer, "data");
    peer.write(frame(`40/${SITE},`));
    for (let text = ""; !text.includes('sid":', text.indexOf("40/")) || !text.includes("40/");)
        text += (await once(peer, "data"))[0].toString("latin1");
    return peer;
}

const packet = (id) => frame(`42/${SITE},${id}["echo",{"n":${id}}]`);
const ANSWER_BYTES = `43/${SITE},100[{"n":100}]`.length + 2;

const microseconds = (from) => Number(process.hrtime.bigint() - from) / 1000;
const at = (sorted, part) => sorted[Math.floor(sorted.length * part)].toFixed(1);

async function measureLatency(port) {
    const kinds = {
        "ping -> pong": frame(`42/${SITE},["ping"]`),
        "event -> handler -> ack": packet(100),
    };
    const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
    for (let client = 0; client < LATENCY_CLIENTS; client++) {
        const peer = await open(port);
        for (let n = 0; n < PER_CLIENT / 2; n++)
            for (const [kind, bytes] of Object.entries(kinds)) {
                const from = process.hrtime.bigint();
                peer.write(bytes);
                await once(peer, "data");
                times[kind].push(microseconds(from));
            }
        peer.destroy();
    }
    for (const [kind, values] of Object.entries(times)) {
        values.sort((a, b) => a - b);
        console.log(`${kind.padEnd(24)} median ${at(values, 0.5)} µs, p99 ${at(values, 0.99)} µs`);
    }
}

/** Sends one client's events; done when the last is answered. */
function sendAll(peer, burst) {
    return new Promise((done) => {
        let left = PER_CLIENT / BURST;
        let bytes = 0;
        peer.on("data", (chunk) => {
            bytes += chunk.length;
            if (bytes < ANSWER_BYTES * BURST) return;
            bytes = 0;
            if (--left) peer.write(burst);
            else done();
        });
        peer.write(burst);
    });
}

async function measureRate(port) {
    const peers = [];
    for (let n = 0; n < RATE_CLIENTS; n++) peers.push(await open(port));
    const burst = Buffer.concat(Array.from({ length: BURST }, (_, n) => packet(100 + n)));
    const from = process.hrtime.bigint();
    await Promise.all(peers.map((peer) => sendAll(peer, burst)));
    const events = RATE_CLIENTS * PER_CLIENT;
    const rate = Math.round(events / (microseconds(from) / 1e6));
    console.log(`${events} events of ${RATE_CLIENTS} clients: ${rate} events/s`);
    for (const peer of peers) peer.destroy();
}

const site = await Site.start(["one"]);
const bench = await Bench.make({
    apps: { one: `module.exports = (s) => s.on("echo", (x, reply) => reply(x))` },
});
const server = await BenchServer.start(bench, { webserver_port: site.port });
const host = await server.attach();
host.stderr.pipe(process.stderr);
await measureLatency(server.port);
await measureRate(server.port);
const { hosts } = await server.ask({ rt: "hosts" });
console.log(`events lost: ${hosts[0].events_lost}`);
await server.close();
await host.ended();
site.close();
await bench.remove();
