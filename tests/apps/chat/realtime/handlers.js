// A chat: rooms, broadcasts to everybody but the sender, acknowledgements.

const room_of = (channel) => `chat:${channel}`;

function people(socket, channel) {
    const ids = socket.nsp.adapter.rooms.get(room_of(channel)) || new Set();
    const users = [];
    socket.nsp.sockets.forEach((other) => ids.has(other.id) && users.push(other.user));
    return users.sort();
}

module.exports = function (socket) {
    socket.on("ping", () => socket.emit("chat_alive", socket.user));

    socket.on("chat_join", (channel, reply) => {
        socket.join(room_of(channel));
        socket.to(room_of(channel)).emit("chat_joined", { channel, user: socket.user });
        reply({ ok: true, people: people(socket, channel) });
    });

    socket.on("chat_say", (channel, text, reply) => {
        if (!socket.rooms.has(room_of(channel))) return reply({ ok: false });
        socket.to(room_of(channel)).emit("chat_said", { channel, user: socket.user, text });
        reply({ ok: true });
    });

    // Everybody on the site who is not in the channel.
    socket.on("chat_invite", (channel) => {
        socket.broadcast.except(room_of(channel)).emit("chat_invited", channel, socket.user);
    });

    socket.on("chat_shout", (channels, text) => {
        socket.nsp.to(channels.map(room_of)).emit("chat_shouted", socket.user, text);
    });

    socket.on("chat_leave", (channel, reply) => {
        socket.leave(room_of(channel));
        socket.nsp.to(room_of(channel)).emit("chat_left", { channel, user: socket.user });
        reply(people(socket, channel));
    });

    socket.once("chat_once", () => socket.emit("chat_first", [...socket.rooms].length > 0));

    socket.on("disconnecting", (reason) => {
        for (const room of socket.rooms) {
            if (!room.startsWith("chat:")) continue;
            socket
                .to(room)
                .emit("chat_left", { channel: room.slice(5), user: socket.user, reason });
        }
    });
};
