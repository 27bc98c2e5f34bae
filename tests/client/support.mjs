// Starts what the tests talk to, and keeps an eye on the time.

import { spawn } from "node:child_process";
import { once as onceNode } from "node:events";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import WebSocket from "ws";

export const SITE = "one.localhost";
export const PYTHON = process.env.FRAPPE_RT_PYTHON ?? fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const CONFORMANCE =
    process.env.FRAPPE_RT_CONFORMANCE ?? fileURLToPath(new URL("../../build/conformance", import.meta.url));
export const PATIENCE_MS = 60000; // for anything that should come; nothing that works takes this long
export const TRANSPORTS = {
    "polling only": { transports: ["polling"] },
    "websocket only": { transports: ["websocket"] },
    "polling then upgrade": { transports: ["polling", "websocket"] },
};

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** The promise, or an error that says what was waited for. */
export async function within(what, promise, ms = PATIENCE_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** The arguments of the next `event`, from a socket.io-client socket or a RealtimeClient. */
export function next(client, event, ms) {
    return within(event, new Promise((done) => client.once(event, (...args) => done(args))), ms);
}

/** Waits until `check` returns something truthy, and returns it. */
export async function eventually(what, check, ms = PATIENCE_MS) {
    for (const deadline = Date.now() + ms; ; await sleep(20)) {
        const value = await check();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    }
}

/** Everything `client` receives, as [event, ...args]; `take(n)` waits for that many and empties it. */
export function record(client, ignore = []) {
    const events = [];
    client.onAny((...event) => ignore.includes(event[0]) || events.push(event));
    events.take = async (n) => {
        await eventually(`${n} events (so far ${JSON.stringify(events)})`, () => events.length >= n);
        return events.splice(0);
    };
    return events;
}

/** A child process that ends with the test, whatever happens. */
export function start(command, args, options) {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    child.output = "";
    child.stdout.on("data", (text) => (child.output += text));
    child.stderr.on("data", (text) => (child.output += text));
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    return child;
}

export async function end(child, signal = "SIGTERM") {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const gone = onceNode(child, "exit");
    child.kill(signal);
    const [code] = await within(`exit of ${child.spawnfile}`, gone);
    return code;
}

/** What all clients of one server need to know. */
export class Target {
    port = 0;
    clients = [];

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    /** A socket.io-client for the holder of session `sid`, connecting. */
    connect(sid, options = {}) {
        const { site = SITE, headers = {}, ...rest } = options;
        const wanted = { origin: "http://127.0.0.1", ...(sid && { cookie: `sid=${sid}` }), ...headers };
        const extraHeaders = Object.fromEntries(
            Object.entries(wanted).filter(([, value]) => value !== undefined),
        );
        const client = io(`${this.url}/${site}`, {
            forceNew: true, reconnection: false, extraHeaders, ...rest,
        });
        this.clients.push(client);
        return client;
    }

    /** The same, connected. */
    async join(sid, options) {
        const client = this.connect(sid, options);
        const refused = new Promise((_, reject) => client.once("connect_error", reject));
        await within("connect", Promise.race([next(client, "connect"), refused]));
        return client;
    }

    /** Why the server refuses this client. */
    async refusal(sid, options) {
        const client = this.connect(sid, options);
        const [error] = await next(client, "connect_error");
        return error.message;
    }

    closeClients() {
        for (const client of this.clients.splice(0)) client.disconnect();
    }
}

/** The server thread inside a Python process, with a stub web process (server.py). */
export class InProcess extends Target {
    static async start(overrides = {}) {
        const self = new this();
        const script = fileURLToPath(new URL("server.py", import.meta.url));
        self.child = start(PYTHON, [script]);
        self.waiting = [];
        self.gone = onceNode(self.child, "exit");
        createInterface(self.child.stdout).on("line", (line) => self.waiting.shift()?.(JSON.parse(line)));
        Object.assign(self, await self.ask("start", overrides));
        return self;
    }

    async ask(command, args = {}) {
        const answer = new Promise((done) => this.waiting.push(done));
        this.child.stdin.write(`${JSON.stringify({ do: command, ...args })}\n`);
        const died = this.gone.then(() => ({ error: `died: ${this.child.output}` }));
        const { value, error } = await within(command, Promise.race([answer, died]));
        if (error) throw new Error(error);
        return value;
    }

    publish(call) {
        return this.ask("publish", call);
    }

    async close() {
        this.closeClients();
        this.child.stdin.end();
        const [code] = await within("exit of the server", this.gone);
        if (code !== 0) throw new Error(`exit status ${code}: ${this.child.output}`);
    }
}

/** One that nobody listens on: below Linux's ephemeral ones, so that nothing takes it by chance
 *  before it is used, and never the same twice. */
export async function getFreePort() {
    for (;;) {
        const port = 10000 + Math.floor(Math.random() * 22768);
        if (givenPorts.has(port)) continue;
        givenPorts.add(port);
        const server = net.createServer().listen(port, "127.0.0.1");
        try {
            await onceNode(server, "listening");
        } catch {
            continue; // somebody has it
        }
        await new Promise((done) => server.close(done));
        return port;
    }
}
const givenPorts = new Set();

/** A redis-server of the test's own, which keeps nothing. */
export class Redis {
    static async start(port) {
        const self = new Redis();
        self.port = port ?? (await getFreePort());
        self.child = start("redis-server", [
            "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        ]);
        await eventually("redis-server", () => self.call("PING").catch(() => null));
        return self;
    }

    get url() {
        return `redis://127.0.0.1:${this.port}`;
    }

    /** One command over a connection of its own; the answer is the raw first line. */
    async call(...words) {
        const socket = net.connect(this.port, "127.0.0.1");
        const parts = words.map(String).map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
        socket.write(`*${words.length}\r\n${parts.join("")}`);
        try {
            const [answer] = await onceNode(socket, "data");
            return String(answer).split("\r\n")[0];
        } finally {
            socket.destroy();
        }
    }

    /** PUBLISH; how many subscribers there were. */
    async publish(text) {
        return Number((await this.call("PUBLISH", "events", text)).slice(1));
    }

    close() {
        return end(this.child);
    }
}

/** `python -m frappe_rt serve` in a bench folder made for the test. */
export class Serve extends Target {
    static async start(config, options = []) {
        const self = new Serve();
        self.bench = await mkdtemp(path.join(tmpdir(), "bench-"));
        self.port = config.socketio_port ?? (await getFreePort());
        for (const folder of ["sites", "apps"]) await mkdir(path.join(self.bench, folder));
        self.config = { socketio_port: self.port, default_site: SITE, ...config };
        await writeFile(path.join(self.bench, "sites/common_site_config.json"), JSON.stringify(self.config));
        self.child = start(PYTHON, ["-m", "frappe_rt", "serve", ...options], { cwd: self.bench });
        await within("listening", Promise.race([
            eventually("listening", () => self.child.output.includes("listens on")),
            onceNode(self.child, "exit").then(() => { throw new Error(self.child.output); }),
        ]));
        return self;
    }

    /** Publishes from a Python process of its own, which only finds the bench. */
    async publish(call, environment = {}) {
        const code = "import json, sys, frappe_rt; frappe_rt.publish_realtime(**json.loads(sys.argv[1]))";
        const env = { ...process.env, ...environment };
        const child = start(PYTHON, ["-c", code, JSON.stringify(call)], { cwd: this.bench, env });
        const [status] = await within("publish", onceNode(child, "exit"));
        if (status !== 0) throw new Error(child.output);
        return child.output;
    }

    async close() {
        this.closeClients();
        const code = await end(this.child); // not 0 when it took longer than a stop may take
        await rm(this.bench, { recursive: true });
        if (code !== 0) throw new Error(`exit status ${code}: ${this.child.output}`);
    }
}

/** `python -m frappe_rt demo` on free ports. */
export class Demo {
    static async start() {
        const self = new Demo();
        self.child = start(PYTHON, ["-m", "frappe_rt", "demo", "--no-open", "--web-port", "0"]);
        const [, url] = await eventually("address of the demo", () =>
            /^demo: (http\S+)/m.exec(self.child.output) ||
            (self.child.exitCode !== null && Promise.reject(new Error(self.child.output))));
        self.url = url;
        return self;
    }

    async close() {
        const code = await end(this.child, "SIGINT");
        if (code !== 0) throw new Error(`exit status ${code}: ${this.child.output}`);
    }
}

/** build/conformance, which speaks Engine.IO or Socket.IO and nothing else. */
export class Conformance {
    clients = [];

    static async start(mode, port = 0, options = []) {
        const self = new Conformance();
        self.mode = mode;
        self.child = start(CONFORMANCE, [mode, port, ...options]);
        const [, bound] = await eventually("a listening line", () =>
            /listens on \S+:(\d+)\//.exec(self.child.output) ||
            (self.child.exitCode !== null && Promise.reject(new Error(self.child.output))));
        self.port = Number(bound);
        return self;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    /** Its clients lose their transports. */
    async stop() {
        const code = await end(this.child);
        if (code !== 0) throw new Error(`exit status ${code}: ${this.child.output}`);
    }

    /** The same again, on the same port. */
    async restart() {
        const again = await Conformance.start(this.mode, this.port);
        this.child = again.child;
    }

    /** Remembers a client, to be closed with the test; of one connection's namespaces each needs it. */
    keep(client) {
        this.clients.push(client);
        return client;
    }

    closeClients() {
        for (const client of this.clients.splice(0)) client.close();
    }
}

/** A WebSocket class for realtime.js under Node, which cannot set headers on its own. */
export function withHeaders(headers) {
    return class extends WebSocket {
        constructor(url) {
            super(url, { headers: { origin: "http://127.0.0.1", ...headers } });
        }
    };
}
