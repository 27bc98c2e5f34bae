// Runs the code of apps, and says whose it was when it fails.
//
// A handler that throws stops neither the next one nor this process. Errors that no handler's call
// encloses (timers, event emitters) are told apart by the files in their stack.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const util = require("node:util");

const MAX_REPORTS = 20; // a second; the rest are counted

class Errors {
    constructor(bench, log) {
        const apps = path.join(bench, "apps");
        const real = fs.existsSync(apps) ? fs.realpathSync(apps) : apps; // as Node names files
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

    /** Takes what would otherwise end the process. */
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

    /** The app whose file stands first in the stack. */
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
