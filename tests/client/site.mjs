// A site's web process for handlers' tests, and Frappe's own realtime server reduced to what its
// handlers rest on: npm's socket.io, the connect-time rooms, has_permission and frappe_request.

import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { json } from "node:stream/consumers";
import { Server } from "socket.io";
import { SITE, Target } from "./support.mjs";

const USERS = {
    ada: "System User",
    grace: "System User",
    customer: "Website User",
    Guest: "Website User",
};
const API = "/api/method/";

/** Answers for the sessions above; documents named "secret" are nobody's. */
export class Site {
    static async start(apps) {
        const self = new Site();
        self.notes = [];
        self.answers = {
            "frappe.realtime.get_user_info": ({ user }) => ({
                user,
                user_type: USERS[user],
                installed_apps: ["frappe", ...apps],
            }),
            "frappe.realtime.has_permission": ({ query }) => query.get("name") !== "secret",
            "telephony.note": ({ user, query, method, body }) =>
                self.note(user, query.get("call"), method === "POST" && body),
        };
        self.server = http.createServer((request, response) => self.answer(request, response));
        await once(self.server.listen(0, "127.0.0.1"), "listening");
        self.port = self.server.address().port;
        return self;
    }

    async answer(request, response) {
        const url = new URL(request.url, "http://site");
        const { cookie, authorization } = request.headers;
        const user = /Bearer (\w+)/.exec(authorization)?.[1] ?? /sid=(\w+)/.exec(cookie)?.[1];
        const message = this.answers[url.pathname.slice(API.length)]({
            user: user ?? "Guest",
            query: url.searchParams,
            method: request.method,
            body: await json(request).catch(() => null),
        });
        response.writeHead(message === false ? 403 : 200, { "content-type": "application/json" });
        response.end(JSON.stringify(message === false ? {} : { message }));
    }

    /** One more about a call, or those there are. */
    note(user, call, wanted) {
        if (call === "secret") return false;
        if (!wanted) return this.notes.filter((note) => note[1] === call).map((note) => note[2]);
        return this.notes.push([user, call, wanted.text]);
    }

    close() {
        this.server.close();
        this.server.closeAllConnections();
    }
}

/** The reference: a Node socket.io server that runs the same handlers.js files. */
export class Reference extends Target {
    static async start(bench, apps, site) {
        const self = new Reference();
        const load = createRequire(path.join(bench.folder, "apps", "x.js"));
        const handlers = apps.map((app) => load(`./${app}/realtime/handlers.js`));
        self.http = http.createServer();
        self.io = new Server(self.http, { cleanupEmptyChildNamespaces: true });
        const sites = self.io.of(/^\/.*$/);
        sites.use((socket, next) => self.letIn(socket, site).then(() => next(), next));
        sites.on("connection", (socket) => {
            self.serveOwnEvents(socket);
            for (const handler of handlers) handler(socket);
        });
        await once(self.http.listen(0, "127.0.0.1"), "listening");
        self.port = self.http.address().port;
        return self;
    }

    async letIn(socket, site) {
        const { cookie, authorization } = socket.request.headers;
        if (authorization) socket.authorization_header = authorization;
        else socket.sid = /sid=(\w+)/.exec(cookie)[1];
        socket.site_name = SITE;
        const own = authorization ? { authorization } : { cookie };
        socket.frappe_request = (where, args = {}, opts = {}) =>
            fetch(`http://127.0.0.1:${site.port}${where}?${new URLSearchParams(args)}`, {
                ...opts,
                headers: { ...opts.headers, ...own },
            });
        socket.has_permission = async (doctype, name = "") => {
            const response = await socket.frappe_request(`${API}frappe.realtime.has_permission`, {
                doctype,
                name,
            });
            if (!response.ok) await new Promise(() => {});
        };
        const { message } = await (
            await socket.frappe_request(`${API}frappe.realtime.get_user_info`)
        ).json();
        Object.assign(socket, message);
    }

    serveOwnEvents(socket) {
        socket.join(["website", `user:${socket.user}`]);
        if (socket.user_type === "System User") socket.join("all");
        socket.on("ping", () => socket.emit("pong"));
    }

    async close() {
        this.closeClients();
        await new Promise((done) => this.io.close(done));
    }
}
