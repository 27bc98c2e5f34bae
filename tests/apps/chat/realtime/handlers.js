// A chat: rooms, broadcasts to everybody but the sender, acknowledgements.

const TRACED = ["chat_say", "chat_poke", "chat_once"];
const room_of = (channel) => `chat:${channel}`;

function members(socket, channel) {
    const ids = socket.nsp.adapter.rooms.get(room_of(channel)) || new Set();
    return [...ids].map((id) => socket.nsp.sockets.get(id));
}

const people = (socket, channel) => members(socket, channel).map((other) => other.user).sort();

/** Channels of any socket of the site, by its id. */
function channels_of(socket, id) {
    const rooms = [...(socket.nsp.adapter.sids.get(id) || [])];
    const channels = rooms.filter((room) => room.startsWith("chat:"));
    return channels.map((room) => room.slice(5)).sort();
}

module.exports = function (socket) {
    socket.data.said = 0;
    socket.data.name = socket.user;

    socket.on("ping", () => socket.emit("chat_alive", socket.user));

    socket.on("chat_me", (reply) => {
        reply({
            id: socket.id,
            user: socket.user,
            user_type: socket.user_type,
            installed_apps: socket.installed_apps,
            site: socket.site_name,
            namespace: socket.nsp.name,
            connection: {
                connected: socket.connected,
                sid: socket.sid,
                authorization: socket.authorization_header,
                page: socket.handshake.query.page,
                auth: socket.handshake.auth,
                origins: [socket.handshake.headers.origin, socket.request.headers.origin],
            },
        });
    });

    socket.on("chat_visit", (reply) => reply(`welcome, ${socket.user}`));

    socket.on("chat_join", (channel, reply) => {
        socket.join(room_of(channel));
        socket.to(room_of(channel)).emit("chat_joined", { channel, user: socket.user });
        socket.send(`welcome to ${channel}`);
        reply({ ok: true, people: people(socket, channel) });
    });

    // A room beside a document, for those who may read it.
    socket.on("chat_open", async (doctype, name, reply) => {
        await socket.has_permission(doctype, name);
        socket.join(room_of(name ? `${doctype}/${name}` : doctype));
        reply(true);
    });

    socket.use(([event, , text], next) => {
        const is_rude = event === "chat_say" && text === "damn";
        next(is_rude ? new Error("mind your words") : undefined);
    });

    socket.on("error", (error) => socket.emit("chat_error", error.message));

    socket.on("chat_say", (channel, text, reply) => {
        if (!socket.rooms.has(room_of(channel))) return reply({ ok: false });
        socket.data.said += 1;
        socket.to(room_of(channel)).emit("chat_said", { channel, user: socket.user, text });
        reply({ ok: true, number: socket.data.said });
    });

    // It comes or it does not: whoever is not ready now need not know.
    socket.on("chat_typing", (channel) => {
        socket.volatile.to(room_of(channel)).emit("chat_typing", socket.user);
    });

    socket.on("chat_whisper", (id, text, reply) => {
        socket.to(id).emit("chat_whispered", socket.user, text);
        reply(socket.nsp.sockets.has(id));
    });

    // To the channel, but not to these users.
    socket.on("chat_aside", (channel, users, text, reply) => {
        const others = users.map((user) => `user:${user}`);
        socket.in(room_of(channel)).except(others).emit("chat_aside", socket.user, text);
        reply(true);
    });

    // Everybody on the site who is not in the channel.
    socket.on("chat_invite", (channel, reply) => {
        socket.broadcast.except(room_of(channel)).emit("chat_invited", channel, socket.user);
        reply(true);
    });

    socket.on("chat_shout", (channels, text, reply) => {
        socket.nsp.to(channels.map(room_of)).emit("chat_shouted", socket.user, text);
        reply(true);
    });

    socket.on("chat_announce", (text, reply) => {
        socket.nsp.emit("chat_announced", text);
        reply(true);
    });

    socket.on("chat_recruit", (channel, reply) => {
        socket.nsp.except(room_of(channel)).emit("chat_recruited", channel);
        reply(true);
    });

    // Who is in one channel is in the other from now on.
    socket.on("chat_move", async (from, to, reply) => {
        const moved = await socket.nsp.in(room_of(from)).fetchSockets();
        socket.nsp.in(room_of(from)).socketsJoin(room_of(to));
        socket.nsp.in(room_of(from)).socketsLeave(room_of(from));
        reply(moved.map((other) => other.data.name).sort());
    });

    socket.on("chat_channels", (id, reply) => reply(channels_of(socket, id)));

    socket.on("chat_leave", (channel, reply) => {
        socket.leave(room_of(channel));
        socket.nsp.to(room_of(channel)).emit("chat_left", { channel, user: socket.user });
        reply(people(socket, channel));
    });

    socket.once("chat_once", () => socket.emit("chat_first", [...socket.rooms].length > 0));

    const poked = () => (socket.data.pokes = (socket.data.pokes || 0) + 1);
    socket.on("chat_poke", poked);
    socket.on("chat_deaf", (reply) => {
        socket.off("chat_poke", poked);
        reply(socket.data.pokes);
    });

    const listen = (event) => TRACED.includes(event) && socket.chat_heard.push(event);
    socket.on("chat_trace", (wanted, reply) => {
        if (wanted) {
            socket.chat_heard = [];
            socket.onAny(listen);
        } else {
            socket.offAny(listen);
        }
        reply(socket.chat_heard);
    });

    socket.on("disconnecting", (reason) => {
        for (const channel of channels_of(socket, socket.id))
            socket
                .to(room_of(channel))
                .emit("chat_left", { channel, user: socket.user, reason });
    });
};
