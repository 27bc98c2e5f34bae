// Apps that are symbolic links in the bench's apps/ folder. Node gives a file its real path, from
// which a relative path upwards leaves the bench, as in `require("../../frappe/..")` or in Frappe's
// get_conf. So files of such apps keep their path in the bench.

"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

/** Pairs [real path, path in the bench], both with a separator at the end. */
function linksOf(apps) {
    const links = fs
        .readdirSync(apps, { withFileTypes: true })
        .filter((entry) => entry.isSymbolicLink())
        .map((entry) => path.join(apps, entry.name))
        .filter((folder) => fs.existsSync(folder));
    return links.map((folder) => [fs.realpathSync(folder) + path.sep, folder + path.sep]);
}

function exchange(file, from, to, links) {
    const link = links.find((ends) => file.startsWith(ends[from]));
    return link ? link[to] + file.slice(link[from].length) : file;
}

/** The requiring module at its real path, where its node_modules may be. */
function reallyAt(parent, links) {
    const filename = exchange(parent.filename, 1, 0, links);
    return { ...parent, filename, paths: Module._nodeModulePaths(path.dirname(filename)) };
}

function keepLinks(bench) {
    const apps = path.join(bench, "apps");
    const links = fs.existsSync(apps) ? linksOf(apps) : [];
    if (!links.length) return;
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function (request, parent, ...rest) {
        const find = (from) => exchange(resolve.call(this, request, from, ...rest), 0, 1, links);
        try {
            return find(parent);
        } catch (error) {
            if (error.code !== "MODULE_NOT_FOUND" || !parent?.filename) throw error;
            return find(reallyAt(parent, links));
        }
    };
}

module.exports = { keepLinks };
