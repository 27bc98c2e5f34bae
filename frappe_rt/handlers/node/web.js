// `socket.frappe_request`: a request to the site's web process with the client's credentials.
//
// The server tells where the web process is and reads the socket secret; a client's Origin decides
// neither. Node's fetch sets the Host header itself, which names the site to Frappe, hence
// http.request below it.

"use strict";

const http = require("node:http");
const https = require("node:https");
const { Readable } = require("node:stream");

const MAX_REDIRECTS = 5;
const SECRET_AGE_MS = 10000; // how long the secret is used without asking the server again
const WITHOUT_BODY = new Set([204, 205, 304]);

class Web {
    /** `ask(message, answer)` asks the server; `answer(result)` gets what it says. */
    constructor(ask, log) {
        this.ask = ask;
        this.log = log;
        this.base = null; // the server tells it with its welcome, before any socket
        this.secret = { asked: -Infinity, value: Promise.resolve(null) };
        this.complained = false; // that the server cannot give it, until it can
    }

    /** `web`: scheme, host and port of the web process. */
    configure({ web }) {
        this.base = web;
    }

    /** The Origin that a browser on this site would send, as far as the configuration tells. */
    originOf(site) {
        return `http://${site}`;
    }

    /** Promises a Response, as fetch does. `opts`: method, body, headers, signal, redirect. */
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

    /** Refuses a path that leads to another host: it could do so without a leading slash. */
    find(where) {
        const url = new URL(this.base + where);
        if (url.host === new URL(this.base).host) return url;
        throw new TypeError(`${where} is no path of the site`);
    }

    /** Follows redirects on the web process alone: credentials must not go to another host. */
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

    askSecret() {
        return new Promise((resolve) => {
            this.ask({ op: "secret" }, ({ secret, error }) => {
                if (error) this.complain();
                else this.complained = false;
                resolve(secret);
            });
        });
    }

    complain() {
        if (!this.complained)
            this.log(
                "requests go without socketio_auth_secret: the server cannot read it from Redis; " +
                    "check redis_queue in sites/common_site_config.json",
            );
        this.complained = true;
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
        // As in fetch: the reason of the abort, for example a timeout.
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

module.exports = { Web };
