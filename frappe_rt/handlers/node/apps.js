// The apps of a bench that have JavaScript handlers.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { keepLinks } = require("./links");

const FOR_ALL = /\.(onAny|prependAny|use)\(/; // how an app gets to see every event
const FRAMEWORK = "frappe"; // its own handlers are the server itself

class Apps {
    constructor(bench, errors, log) {
        Object.assign(this, { bench, errors, log });
        this.handlers = new Map(); // app -> function (socket)
        this.failed = []; // apps whose file gave none
        this.listed = listApps(bench);
    }

    /** Loads what there is, in the order of sites/apps.txt; what cannot be loaded is logged. */
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
     * Which of these texts stand in quotes in the apps' own files; all, where one looks at every
     * event. A host that takes over must say what it takes before the first call of a handler can
     * show it.
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

    /** Hands a new connection to every app of its site; one that throws does not stop the next. */
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

/** An app's handlers.js, unless it is to be left to another: the server, or the Python host. */
function handlersOf(bench, app) {
    const folder = path.join(bench, "apps", app);
    const file = path.join(folder, "realtime", "handlers.js");
    if (app === FRAMEWORK || !fs.existsSync(file)) return null;
    const python = ["handlers.py", "handlers/__init__.py"];
    const isThere = (name) => fs.existsSync(path.join(folder, app, "realtime", name));
    return python.some(isThere) ? null : file;
}

module.exports = { Apps };
