// The host that this one replaces. The apps that it serves must still be served afterwards.

"use strict";

const net = require("node:net");

/** Asks the server at `socketPath` which apps host `id` serves. None if there is no such host. */
async function getApps(socketPath, id) {
    const peer = net.createConnection(socketPath).setEncoding("utf8");
    peer.write('{"rt":"hosts"}\n');
    let answer = "";
    for await (const chunk of peer) {
        answer += chunk;
        if (chunk.endsWith("\n")) break;
    }
    if (!answer.endsWith("\n")) throw new Error("the server has closed the connection");
    const { hosts = [] } = JSON.parse(answer);
    return hosts.find((host) => host.id === id)?.apps ?? [];
}

module.exports = { getApps };
