// The apps of a bench that have JavaScript handlers.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { keepLinks } = require("./links");

const FOR_ALL = /\.(onAny|prependAny|use)\(/; // calls with which an app listens to every event
const FRAMEWORK = "frappe"; // the server stands in for its handlers

class Apps {
    constructor(bench, errors, log) {
        Object.assign(this, { bench, errors, log });
        this.handlers = new Map(); // app -> function (socket)
        this.failed = []; // apps whose file failed or exports no function
        this.listed = listApps(bench);
    }

    /** Loads the apps in the order of sites/apps.txt. Logs those that fail. */
    load() {
        keepLinks(this.bench);
        for (const app of this.listed) {
            const file = handlersOf(this.bench, app);
            if (!file) continue;
            this.errors.run(app, `loading ${file}`, () => this.loadOne(app, file));
            if (!this.handlers.has(app)) this.failed.push(app);
        }
    }

    loadOne(app, file) {
        const handler = require(file);
        if (typeof handler === "function") this.handlers.set(app, handler);
        else
            this.log(
                `app ${app}: ${file} exports ${typeof handler}, not function (socket); skipped`,
            );
    }

    names() {
        return [...this.listed];
    }

    /**
     * The texts that the apps' own files have in quotes; all texts, if a file listens to every event.
     * A host that takes over must name its events before it has called the first handler.
     */
    mentioned(texts) {
        const ours = (file) => !file.startsWith(__dirname) && !file.includes("/node_modules/");
        const sources = Object.keys(require.cache)
            .filter(ours)
            .map((file) => fs.readFileSync(file, "utf8"));
        const stands = (text) =>
            sources.some((source) => new RegExp(`["'\`]${text}["'\`]`).test(source));
        return sources.some((source) => FOR_ALL.test(source)) ? texts : texts.filter(stands);
    }

    /** Calls each app of the site with a new connection. An exception does not stop the next app. */
    connect(socket) {
        for (const app of [...socket.installed_apps]) {
            const handler = this.handlers.get(app);
            if (handler) this.errors.run(app, "handlers.js", handler, undefined, [socket]);
        }
    }
}

function listApps(bench) {
    const text = fs.readFileSync(path.join(bench, "sites", "apps.txt"), "utf8");
    const names = text.split("\n").map((line) => line.trim());
    return [...new Set(names)].filter((name) => name && !name.startsWith("#"));
}

/** An app's handlers.js, unless the server or the Python host serves the app. */
function handlersOf(bench, app) {
    const folder = path.join(bench, "apps", app);
    const file = path.join(folder, "realtime", "handlers.js");
    if (app === FRAMEWORK || !fs.existsSync(file)) return null;
    const python = ["handlers.py", "handlers/__init__.py"];
    const isThere = (name) => fs.existsSync(path.join(folder, app, "realtime", name));
    return python.some(isThere) ? null : file;
}

module.exports = { Apps };
