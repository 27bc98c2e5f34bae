// Runs the code of apps, and names the app when it fails.
//
// An exception in a handler stops neither the next handler nor this process. For an error outside a
// handler (timers, event emitters) the files in its stack name the app.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const util = require("node:util");

const MAX_REPORTS = 20; // a second; further ones are only counted

class Errors {
    constructor(bench, log) {
        const apps = path.join(bench, "apps");
        const real = fs.existsSync(apps) ? fs.realpathSync(apps) : apps; // as in stacks
        this.folders = [apps + path.sep, real + path.sep];
        this.log = log;
        this.running = null; // the app whose code runs now
        this.reports = 0;
        this.handlers = 0; // async handlers that have not settled
    }

    /** Calls an app's function. */
    run(app, what, call, self, args) {
        const before = this.running;
        this.running = app;
        try {
            const result = call.apply(self, args);
            if (typeof result?.then === "function") this.follow(result, app, what);
        } catch (error) {
            this.report(app, what, error);
        } finally {
            this.running = before;
        }
    }

    follow(promise, app, what) {
        const settled = () => this.handlers--;
        this.handlers++;
        Promise.resolve(promise).then(settled, (error) => {
            settled();
            this.report(app, what, error);
        });
    }

    /** Catches errors that would end the process. */
    watch(target) {
        target.on("uncaughtException", (error) => this.report(null, "uncaught exception", error));
        target.on("unhandledRejection", (why) => this.report(null, "unhandled rejection", why));
    }

    report(app, what, error) {
        if (this.reports++ === 0) setTimeout(() => this.calm(), 1000).unref();
        if (this.reports > MAX_REPORTS) return;
        const owner = app ?? this.ownerOf(error);
        this.log(`${owner ? `app ${owner}` : "an app"}, ${what}: ${describe(error)}`);
    }

    calm() {
        if (this.reports > MAX_REPORTS)
            this.log(`${this.reports - MAX_REPORTS} more errors of apps within the last second`);
        this.reports = 0;
    }

    /** The app of the first file in the stack that belongs to an app. */
    ownerOf(error) {
        const stack = typeof error?.stack === "string" ? error.stack : "";
        for (const folder of this.folders) {
            const at = stack.indexOf(folder);
            if (at >= 0) return stack.slice(at + folder.length).split(path.sep, 1)[0];
        }
        return null;
    }
}

function describe(error) {
    return error instanceof Error && error.stack ? error.stack : util.inspect(error);
}

module.exports = { Errors };
