// Frappe's own realtime server is Node's: npm's redis and socket.io in its place, on one channel
// with ours. Each understands what the other's side has published, and says it once.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { InProcess, Redis, SITE, Serve, eventually, next, record } from "./support.mjs";

/** What Frappe's server does with the channel: each event to its room of its site's namespace. */
class NodeServer {
    static async start(url) {
        const server = new NodeServer();
        server.http = createServer();
        server.io = new Server(server.http, { cleanupEmptyChildNamespaces: true });
        server.io.of(/^\/.+$/).on("connection", (socket) => {
            for (const room of ["all", "website", `user:${socket.handshake.auth.user}`]) socket.join(room);
        });
        server.redis = createClient({ url });
        await server.redis.connect();
        await server.redis.subscribe("events", (text) => server.emit(JSON.parse(text)));
        await new Promise((listening) => server.http.listen(0, "127.0.0.1", listening));
        server.port = server.http.address().port;
        return server;
    }

    emit({ event, message, room, namespace }) {
        const everybody = this.io.of(`/${namespace}`);
        (room ? everybody.to(room) : everybody).emit(event, message);
    }

    async join(user) {
        const client = io(`http://127.0.0.1:${this.port}/${SITE}`, { auth: { user }, forceNew: true });
        this.clients = [...(this.clients ?? []), client];
        await next(client, "connect");
        return client;
    }

    async close() {
        for (const client of this.clients ?? []) client.close();
        await this.redis.close();
        await this.io.close();
    }
}

let web, redis, ours, node, publisher;
before(async () => {
    web = await InProcess.start();
    redis = await Redis.start();
    node = await NodeServer.start(redis.url);
    ours = await Serve.start({
        redis_queue: redis.url,
        webserver_port: web.web,
        frappe_rt_local_socket: "rt.sock",
    });
    await eventually("subscriptions", async () => (await redis.publish("{\"event\":\"x\"}")) === 2);
    publisher = createClient({ url: redis.url });
    await publisher.connect();
});
after(async () => {
    await publisher.close();
    await ours.close();
    await node.close();
    await redis.close();
    await web.close();
});

const MESSAGE = { text: "ä 😀 \u2028 \"quoted\"", list: [1, 2.5, null, true], empty: {} };

test("a publish of ours, through Redis, reaches the browsers of both", async () => {
    const heard = [record(await ours.join("ada")), record(await node.join("ada@example.com"))];
    await ours.publish({ event: "e", message: MESSAGE, user: "ada@example.com" }, { FRAPPE_RT_PUBLISH: "redis" });
    for (const events of heard) assert.deepEqual(await events.take(1), [["e", MESSAGE]]);
});

test("a publish of ours, through the local socket, reaches the browsers of both, once", async () => {
    const heard = [record(await ours.join("ada")), record(await node.join("ada@example.com"))];
    for (const n of [1, 2, 3]) await ours.publish({ event: "n", message: n, room: "all" }, { FRAPPE_RT_PUBLISH: "local" });
    await publisher.publish("events", JSON.stringify({ event: "n", message: "last", room: "all", namespace: SITE }));
    for (const events of heard)
        assert.deepEqual(await events.take(4), [["n", 1], ["n", 2], ["n", 3], ["n", "last"]]);
});

test("what Node publishes reaches the browsers of both", async () => {
    const heard = [record(await ours.join("ada")), record(await node.join("ada@example.com"))];
    const envelope = { event: "e", message: MESSAGE, room: "user:ada@example.com", namespace: SITE };
    await publisher.publish("events", JSON.stringify(envelope));
    for (const events of heard) assert.deepEqual(await events.take(1), [["e", MESSAGE]]);
});
