// A server before a web process of each generation of Frappe, and clients as Frappe has them.

import { InProcess, Redis } from "./support.mjs";

export const GENERATIONS = ["old v15", "v15", "v16", "develop"];

/** A server thread, its stub web process of that generation, and a Redis for the socket secret. */
export class Generation extends InProcess {
    static async start(generation, overrides = {}) {
        const redis = await Redis.start();
        const settings = { frappe_rt_redis: true, redis_queue: redis.url, ...overrides };
        const self = await super.start(settings);
        await self.ask("web_set", { generation, redis_port: redis.port });
        return Object.assign(self, { redis, settings, generation });
    }

    /** With other settings, too, for as long as that server lives. */
    async restart(more = {}) {
        await this.ask("stop");
        await this.ask("start", { ...this.settings, ...more });
    }

    /** The web process is well again, and nobody is connected. */
    async calm() {
        this.closeClients();
        await this.ask("web_set", { mood: "good", generation: this.generation, delay: 0 });
        await this.ask("questions");
    }

    async close() {
        await super.close();
        await this.redis.close();
    }
}

/** Connects as Frappe's own client does: with credentials, polling first, three attempts to come back.
 *  `wanted` are the events that a page emits for what it shows, and again after each reconnect. */
export function openDesk(server, sid, wanted = [], options = {}) {
    const client = server.connect(sid, {
        withCredentials: true, reconnection: true, reconnectionAttempts: 3, ...options,
    });
    for (const event of wanted) client.emit(...event); // goes out in a burst after the first CONNECT
    let first = true;
    client.on("connect", () => {
        if (!first) for (const event of wanted) client.emit(...event);
        first = false;
    });
    return client;
}
