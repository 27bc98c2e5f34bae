// One GET from Redis on its own connection, for the socket secret.

"use strict";

const net = require("node:net");
const tls = require("node:tls");

const PATIENCE_MS = 5000;
const MAX_ANSWER = 64 << 10;

function connect(address) {
    if (address.protocol === "unix:") return net.connect(decodeURIComponent(address.pathname));
    const where = { host: address.hostname, port: Number(address.port) || 6379 };
    return address.protocol === "rediss:" ? tls.connect(where) : net.connect(where);
}

function commandsFor(address, key) {
    const commands = [];
    const { username, password } = address;
    if (password) {
        const names = username ? [username, password] : [password];
        commands.push(["AUTH", ...names.map(decodeURIComponent)]);
    }
    const db = address.searchParams.get("db") ?? address.pathname.slice(1);
    if (/^[1-9]\d*$/.test(db)) commands.push(["SELECT", db]);
    commands.push(["GET", key]);
    return commands;
}

function encode(words) {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return `*${words.length}\r\n${parts.join("")}`;
}

/** The last of `count` replies: text or null; undefined while it is incomplete. */
function lastReply(text, count) {
    let at = 0;
    for (let n = 1; ; n++) {
        const end = text.indexOf("\r\n", at);
        if (end < 0) return undefined;
        const head = text.slice(at, end);
        if (head[0] === "-") throw new Error(head.slice(1));
        const size = head[0] === "$" ? Number(head.slice(1)) : -1;
        const next = size < 0 ? end + 2 : end + 2 + size + 2;
        if (text.length < next) return undefined;
        if (n === count) return size < 0 ? null : text.slice(end + 2, end + 2 + size);
        at = next;
    }
}

/** The value of `key` at `url` (redis://, rediss:// or unix://), null when there is none. */
function redisGet(url, key) {
    return new Promise((resolve, reject) => {
        const address = new URL(url);
        const commands = commandsFor(address, key);
        const stream = connect(address);
        let text = "";
        stream.setTimeout(PATIENCE_MS, () =>
            stream.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)),
        );
        stream.setEncoding("latin1");
        stream.on("error", reject);
        stream.on("close", () => reject(new Error("the connection was closed")));
        stream.on("data", (piece) => {
            text += piece;
            try {
                const value = lastReply(text, commands.length);
                if (value === undefined && text.length < MAX_ANSWER) return;
                resolve(value ?? null);
            } catch (error) {
                reject(error);
            }
            stream.destroy();
        });
        stream.write(commands.map(encode).join(""));
    });
}

module.exports = { redisGet };
