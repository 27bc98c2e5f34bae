// The host that this one is to replace: what it serves must not get lost by taking over.

"use strict";

const net = require("node:net");

/** The apps that host `id` serves, by the server at `socketPath`; none, where it is not there. */
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
