// `socket.frappe_request`: a request to the site's web process with the client's credentials.
//
// Where it goes is the configuration's to say, never the client's Origin. Node's fetch sets the
// Host header itself, which names the site to Frappe, hence http.request below it.

"use strict";

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { Readable } = require("node:stream");
const { redisGet } = require("./redis");

const MAX_REDIRECTS = 5;
const SECRET_KEY = "socketio_auth_secret";
const SECRET_AGE_MS = 10000; // how long the secret is used without asking Redis again
const FROM_ENVIRONMENT = { redis_queue: "FRAPPE_REDIS_QUEUE" };
const WITHOUT_BODY = new Set([204, 205, 304]);

/** The bench's common configuration, as Frappe's node_utils reads it: falsy is not set. */
function readConfig(bench) {
    const config = { webserver_port: 8000, redis_queue: "redis://127.0.0.1:11311" };
    for (const file of ["config.json", "sites/common_site_config.json"]) {
        const full = path.join(bench, file);
        if (!fs.existsSync(full)) continue;
        for (const [key, value] of Object.entries(JSON.parse(fs.readFileSync(full, "utf8"))))
            if (value) config[key] = value;
    }
    for (const [key, name] of Object.entries(FROM_ENVIRONMENT))
        if (process.env[name]) config[key] = process.env[name];
    return config;
}

/** Where the web process is: the same rule as the server's own callbacks follow. */
function baseOf({ server_ip, webserver_host, webserver_port }) {
    if (server_ip) return `http://${server_ip}`;
    if (!webserver_host) return `http://127.0.0.1:${webserver_port}`;
    const [, scheme, host] = /^(\w+:\/\/)?(.*)$/.exec(webserver_host);
    const port = /:\d+$/.test(host.slice(host.lastIndexOf("]") + 1)) ? "" : `:${webserver_port}`;
    return `${scheme ?? "http://"}${host}${port}`;
}

class Web {
    constructor(bench, log) {
        this.config = readConfig(bench);
        this.base = baseOf(this.config);
        this.log = log;
        this.secret = { asked: -Infinity, value: Promise.resolve(null) };
        this.complained = false; // of a Redis that does not give it, until it does
    }

    /** What a browser on this site would send as Origin, as far as the configuration tells. */
    originOf(site) {
        return `http://${site}`;
    }

    /** A fetch Response. `opts` are fetch's: method, body, headers, signal, redirect. */
    async request(socket, where, args, opts) {
        const query = new URLSearchParams(args).toString();
        const url = this.find(`${where}${query && `?${query}`}`);
        const headers = new Headers(opts.headers);
        headers.set("X-Frappe-Site-Name", socket.site_name);
        if (socket.authorization_header) headers.set("Authorization", socket.authorization_header);
        else if (socket.sid) headers.set("Cookie", `sid=${socket.sid}`);
        const secret = await this.getSecret();
        if (secret) headers.set("X-Frappe-Socket-Secret", secret);
        const request = new Request(url, { ...opts, headers, duplex: "half" });
        const call = {
            method: request.method,
            headers: { ...Object.fromEntries(request.headers), host: socket.site_name },
            body: request.body ? Buffer.from(await request.arrayBuffer()) : null,
            signal: opts.signal,
            redirect: opts.redirect ?? "follow",
        };
        return this.follow(url, call, 0);
    }

    /** A path that begins otherwise than with a slash, from a client say, could name another host. */
    find(where) {
        const url = new URL(this.base + where);
        if (url.host === new URL(this.base).host) return url;
        throw new TypeError(`${where} is no path of the site`);
    }

    /** Redirects stay on the web process: credentials must not go anywhere else. */
    async follow(url, call, times) {
        const answer = await send(url, call);
        const { location } = answer.headers;
        const moved = location && answer.statusCode >= 300 && answer.statusCode < 400;
        if (!moved || call.redirect === "manual") return toResponse(answer);
        answer.resume();
        const next = new URL(location, url);
        if (call.redirect === "error" || times === MAX_REDIRECTS)
            throw new TypeError(
                `${url.pathname} redirects to ${next}, after ${times} other redirects`,
            );
        const there = new URL(next.pathname + next.search, this.base);
        if (next.hostname !== there.hostname && next.hostname !== call.headers.host)
            throw new TypeError(`${url.pathname} redirects to another host, ${next.hostname}`);
        const keeps = answer.statusCode >= 307 || ["GET", "HEAD"].includes(call.method);
        const again = keeps ? call : { ...call, method: "GET", body: null };
        return this.follow(there, again, times + 1);
    }

    getSecret() {
        const now = Date.now();
        if (now - this.secret.asked > SECRET_AGE_MS)
            this.secret = { asked: now, value: this.askSecret() };
        return this.secret.value;
    }

    async askSecret() {
        try {
            const secret = await redisGet(this.config.redis_queue, SECRET_KEY);
            this.complained = false;
            return secret;
        } catch (error) {
            if (!this.complained)
                this.log(
                    `requests go without ${SECRET_KEY}: Redis at redis_queue does not give it ` +
                        `(${error.message}); check redis_queue in sites/common_site_config.json`,
                );
            this.complained = true;
            return null;
        }
    }
}

function send(url, { method, headers, body, signal }) {
    return new Promise((resolve, reject) => {
        const { request } = url.protocol === "https:" ? https : http;
        const length = body && { "content-length": body.length };
        const outgoing = request(
            url,
            { method, headers: { ...headers, ...length }, signal },
            resolve,
        );
        // As fetch: what aborted it, which says whether it took too long.
        outgoing.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
        outgoing.end(body ?? undefined);
    });
}

function toResponse(answer) {
    const headers = new Headers();
    for (let n = 0; n < answer.rawHeaders.length; n += 2)
        headers.append(answer.rawHeaders[n], answer.rawHeaders[n + 1]);
    const empty = WITHOUT_BODY.has(answer.statusCode);
    if (empty) answer.resume();
    const { statusCode: status, statusMessage: statusText } = answer;
    return new Response(empty ? null : Readable.toWeb(answer), { status, statusText, headers });
}

module.exports = { Web, baseOf, readConfig };
