// What a realtime server does for a Frappe site, on socket.io: the login by the web process, the
// rooms, and the `events` channel of Redis. Node and Bun run the same.
//
//     node node.mjs PORT REDIS_PORT WEB_PORT SITE      prints "up" once it listens
import { createClient } from "@redis/client";

export const [port, redisPort, webPort, site] = process.argv
    .slice(2)
    .map((text) => (/^\d+$/.test(text) ? Number(text) : text));

function hostName(url) {
    return new URL(url).hostname;
}

// `ask(path, headers)` gets the JSON of an answer of the web process.
async function logIn(socket, ask) {
    const { headers } = socket.handshake;
    const name = hostName(headers.origin);
    if (name !== hostName(`http://${headers.host}`)) throw new Error("Invalid origin");
    if (socket.nsp.name !== `/${name}`) throw new Error("Invalid namespace");
    const sid = /(?:^|; ?)sid=([^;]+)/.exec(headers.cookie ?? "")?.[1];
    if (!sid) throw new Error("No authentication method used. Use cookie or authorization header.");
    const answer = await ask("/api/method/frappe.realtime.get_user_info", {
        Cookie: `sid=${sid}`,
        "X-Frappe-Site-Name": name,
    });
    if (!answer.message?.user) throw new Error("Unauthorized");
    socket.user = answer.message.user;
    socket.userType = answer.message.user_type;
}

function welcome(socket) {
    socket.join("website");
    socket.join(`user:${socket.user}`);
    if (socket.userType === "System User") socket.join("all");
    socket.on("task_subscribe", (id) => socket.join(`task_progress:${id}`));
    socket.on("task_unsubscribe", (id) => socket.leave(`task_progress:${id}`));
    socket.on("ping", () => socket.emit("pong"));
}

export async function start(io, ask) {
    const namespaces = io.of(/^\/.*$/);
    namespaces.use((socket, next) => logIn(socket, ask).then(() => next(), next));
    namespaces.on("connection", welcome);
    const redis = createClient({ url: `redis://127.0.0.1:${redisPort}` });
    await redis.connect();
    await redis.subscribe("events", (text) => {
        const { event, message, room, namespace } = JSON.parse(text);
        const to = io.of(`/${namespace}`);
        (room ? to.to(room) : to).emit(event, message);
    });
}
