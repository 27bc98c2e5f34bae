// Benches with apps, handler hosts, and the server's end of the link for tests that need no server.

import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PYTHON, SITE, Target, end, eventually, getFreePort, start, within } from "./support.mjs";

const HOST = fileURLToPath(new URL("../../frappe_rt/handlers/host.js", import.meta.url));
const NODE = process.env.FRAPPE_RT_NODE ?? process.execPath; // hosts may run in another than tests
export const SAMPLES = fileURLToPath(new URL("../apps/", import.meta.url));
const PYTHON_FRAPPE = fileURLToPath(new URL("frappe/", import.meta.url));

/** What Frappe's server has for apps to require: facts of its interface, in a stand-in. */
const FRAPPE = {
    "node_utils.js": `
        const fs = require("fs"), path = require("path");
        const file = path.resolve(__dirname, "../../sites/common_site_config.json");
        exports.get_conf = () => JSON.parse(fs.readFileSync(file));`,
    "realtime/utils.js": `
        require("../node_utils");
        exports.get_url = (socket, where) => socket.request.headers.origin + (where || "");`,
    "realtime/handlers.js": `
        module.exports = (socket) => socket.emit("the framework's own handlers ran");`,
};

/** A bench folder; `apps` maps each name to the text of its handlers.js, or to a map of files. */
export class Bench {
    static async make({ apps = {}, samples = [], python = [], config = {} }) {
        const self = new Bench();
        self.folder = await mkdtemp(path.join(tmpdir(), "bench-"));
        self.socket = path.join(self.folder, "rt.sock");
        const files = { frappe: FRAPPE };
        for (const [app, content] of Object.entries(apps))
            files[app] =
                typeof content === "string" ? { "realtime/handlers.js": content } : content;
        await mkdir(path.join(self.folder, "sites"));
        for (const [app, content] of Object.entries(files))
            for (const [name, text] of Object.entries(content))
                await self.write(`apps/${app}/${name}`, text);
        for (const app of samples) {
            const realtime = `${app}/realtime`; // copied: a link would resolve to another bench
            await cp(path.join(SAMPLES, realtime), path.join(self.folder, "apps", realtime), {
                recursive: true,
            });
        }
        if (python.length)
            await cp(PYTHON_FRAPPE, path.join(self.folder, "apps/frappe/frappe"), {
                recursive: true,
            });
        for (const app of python)
            await cp(path.join(SAMPLES, app, app), path.join(self.folder, "apps", app, app), {
                recursive: true,
            });
        await self.write(
            "sites/apps.txt",
            `${["frappe", ...Object.keys(apps), ...samples, ...python].join("\n")}\n`,
        );
        await self.write("sites/common_site_config.json", JSON.stringify(config));
        return self;
    }

    async write(name, text) {
        const file = path.join(this.folder, name);
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, text);
    }

    /** A handler host of this bench, started as the supervisor starts it. */
    host({
        id = "host-number-00000001",
        replaces,
        parent = process.pid,
        socket = this.socket,
        env = {},
    } = {}) {
        const more = replaces ? ["--replaces", replaces] : [];
        const args = [
            HOST,
            "--bench",
            this.folder,
            "--socket",
            socket,
            "--id",
            id,
            ...(parent ? ["--parent", parent] : []),
            ...more,
        ];
        const child = start(NODE, args, { env: { ...process.env, ...env } });
        child.exited = once(child, "exit").then(([code, signal]) => code ?? signal);
        child.says = (what) =>
            eventually(`"${what}"`, () => child.output.includes(what)).catch((error) => {
                throw new Error(`${error.message}; the host said: ${child.output}`);
            });
        child.ended = () => within(`exit of the host: ${child.output}`, child.exited);
        return child;
    }

    remove() {
        return rm(this.folder, { recursive: true });
    }
}

/** The server's end of the link, which says what a test wants and keeps what the host says. */
export class FakeServer {
    static async start(socketPath) {
        const self = new FakeServer();
        self.heard = [];
        self.syncs = []; // the numbers of what it was asked to confirm
        self.secret = { secret: null }; // the answer to who asks for it; null: there is none
        self.secrets = 0; // how often it was asked for
        self.hosts = []; // which it has, for who asks; null: it hangs up
        self.server = net.createServer((peer) => self.accept(peer)).listen(socketPath);
        await once(self.server, "listening");
        return self;
    }

    accept(peer) {
        this.peer = peer;
        peer.on("error", () => {}); // a host that is killed resets it
        const lines = createInterface(peer);
        lines.on("error", () => {}); // it passes on the peer's
        lines.on("line", (line) => {
            const message = JSON.parse(line);
            if (message.rt === "hosts") this.list(peer);
            else if (message.rt) this.first = message;
            else if (message.op === "sync") this.sync(message.q);
            else if (message.op === "secret") this.tellSecret(message.q);
            else this.heard.push(message);
        });
    }

    list(peer) {
        if (this.hosts) peer.write(`${JSON.stringify({ hosts: this.hosts })}\n`);
        else peer.destroy();
    }

    sync(q) {
        this.syncs.push(q);
        if (!this.silent) this.tell({ op: "result", q });
    }

    tellSecret(q) {
        this.secrets++;
        if (this.secret) this.tell({ op: "result", q, ...this.secret });
    }

    /** `more`: where the web process is, how many threads there are. */
    welcome(more = {}) {
        const { web = "http://127.0.0.1:1", threads = 4 } = more;
        this.tell({ op: "welcome", version: 2, server: "server-000000000001", web, threads });
    }

    tell(...messages) {
        this.peer.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
    }

    /** A socket is let in. */
    connect(s, more = {}) {
        this.tell({
            op: "connect",
            s,
            ns: `/${SITE}`,
            site: SITE,
            user: "ada",
            type: "System User",
            apps: null,
            sid: `${s}-sid`,
            authorization: null,
            headers: { origin: "http://127.0.0.1" },
            query: {},
            auth: {},
            rooms: ["all", "user:ada"],
            ...more,
        });
    }

    event(s, e, a = [], more = {}) {
        this.tell({ op: "event", s, e, a, ...more });
    }

    /** The next line of the host for which `wanted` holds, taken out of what was heard. */
    next(wanted, what = String(wanted)) {
        const match =
            typeof wanted === "string" ? (m) => m.op === wanted || m.e === wanted : wanted;
        return eventually(`${what} among ${JSON.stringify(this.heard)}`, () => {
            const at = this.heard.findIndex(match);
            return at >= 0 && this.heard.splice(at, 1)[0];
        });
    }

    async close() {
        this.peer?.destroy();
        this.server.close();
    }
}

/** A bench, a host of it, and a server that says what the test wants. */
export class Alone {
    static async begin(benchOptions, hostOptions) {
        const self = new Alone();
        self.bench = await Bench.make(benchOptions);
        self.server = await FakeServer.start(self.bench.socket);
        self.host = self.bench.host(hostOptions);
        await eventually("the host's first line", () => self.server.first);
        self.server.welcome();
        return self;
    }

    async end() {
        this.host.kill("SIGKILL");
        await this.server.close();
        await this.bench.remove();
    }
}

/** `python -m frappe_rt serve` in a bench; the test starts the hosts itself. */
export class BenchServer extends Target {
    static async start(bench, config, env = {}) {
        const self = new BenchServer();
        self.bench = bench;
        self.port = await getFreePort();
        const common = {
            socketio_port: self.port,
            default_site: SITE,
            frappe_rt_redis: false,
            frappe_rt_handlers: "off",
            frappe_rt_local_socket: bench.socket,
            ...config,
        };
        await bench.write("sites/common_site_config.json", JSON.stringify(common));
        self.child = start(PYTHON, ["-m", "frappe_rt", "serve"], {
            cwd: bench.folder,
            env: { ...process.env, ...env },
        });
        await eventually("a listening server", () => {
            if (self.child.exitCode !== null) throw new Error(self.child.output);
            return self.child.output.includes("listens on");
        });
        return self;
    }

    /** A host that takes part; `replaces` one that is running. */
    async attach(options) {
        const host = this.bench.host(options);
        await host.says("serves");
        return host;
    }

    /** One command on the local socket. */
    async ask(question) {
        const peer = net.connect(this.bench.socket);
        peer.write(`${JSON.stringify(question)}\n`);
        const { value, done } = await createInterface(peer)[Symbol.asyncIterator]().next();
        peer.destroy();
        if (done) throw new Error(`no answer to ${JSON.stringify(question)}`);
        return JSON.parse(value);
    }

    async close() {
        this.closeClients();
        const code = await end(this.child);
        if (code !== 0) throw new Error(`exit status ${code}: ${this.child.output}`);
    }
}
