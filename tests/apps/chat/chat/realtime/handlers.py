"""A chat: rooms, broadcasts to everybody but the sender, acknowledgements.

What handlers.js beside it does, event by event, in Frappe's words for Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from frappe.realtime import Socket, realtime

if TYPE_CHECKING:
    from frappe_rt.handlers import SyncSocket

#: What a trace notes.
TRACED = ("chat_say", "chat_poke", "chat_once")
#: Everybody on the site, guests too: a room of Frappe's.
EVERYBODY = "website"

#: Id -> socket, to act for others than the one who has sent an event.
sockets: dict[str, Socket] = {}


def room_of(channel: str) -> str:
    return f"chat:{channel}"


def get_people(socket: Socket, channel: str) -> list[str]:
    return sorted(sockets[sid].user for sid in socket.participants(room_of(channel)))


@realtime.on("connect", allow_guest=True)
async def connect(socket: Socket) -> None:
    sockets[socket.sid] = socket
    await socket.set("channels", [])


@realtime.on("ping", allow_guest=True)
async def ping(socket: Socket) -> None:
    await socket.emit("chat_alive", socket.user)


@realtime.on("chat_me")
async def tell_who_i_am(socket: Socket) -> dict[str, object]:
    return {
        "id": socket.sid,
        "user": await socket.user_of(socket.sid),
        "user_type": socket.user_type,
        "installed_apps": socket.installed_apps,
        "site": socket.site,
        "namespace": socket.namespace,
    }


@realtime.on("chat_visit", allow_guest=True)
async def visit(socket: Socket) -> str:
    return f"welcome, {socket.user}"


async def enter(socket: Socket, channel: str) -> None:
    await socket.join(room_of(channel))
    await socket.set("channels", sorted({*socket.get("channels"), channel}))


async def quit_channel(socket: Socket, channel: str) -> None:
    await socket.leave(room_of(channel))
    await socket.set("channels", [other for other in socket.get("channels") if other != channel])


@realtime.on("chat_join")
async def join(socket: Socket, channel: str) -> dict[str, object]:
    await enter(socket, channel)
    joined = {"channel": channel, "user": socket.user}
    await socket.emit("chat_joined", joined, room=room_of(channel), skip_sid=socket.sid)
    await socket.emit("message", f"welcome to {channel}")
    return {"ok": True, "people": get_people(socket, channel)}


@realtime.on("chat_open")
async def open_document(socket: Socket, doctype: str, name: str | None) -> bool | None:
    """A room beside a document, for those who may read it."""
    if not await socket.has_permission(doctype, name):
        return None
    await enter(socket, f"{doctype}/{name}" if name else doctype)
    return True


@realtime.on("chat_say")
def say(socket: SyncSocket, channel: str, text: object) -> dict[str, object] | None:
    if text == "damn":
        socket.emit("chat_error", "mind your words")
        return None
    if socket.sid not in socket.participants(room_of(channel)):
        return {"ok": False}
    socket.set("said", socket.get("said", 0) + 1)
    said = {"channel": channel, "user": socket.user, "text": text}
    socket.emit("chat_said", said, room=room_of(channel), skip_sid=socket.sid)
    return {"ok": True, "number": socket.get("said")}


@realtime.on("chat_typing")
async def tell_typing(socket: Socket, channel: str) -> None:
    await socket.emit("chat_typing", socket.user, room=room_of(channel), skip_sid=socket.sid)


@realtime.on("chat_whisper")
async def whisper(socket: Socket, sid: str, text: str) -> bool:
    await socket.emit("chat_whispered", (socket.user, text), room=sid)
    return await socket.user_of(sid) is not None


@realtime.on("chat_aside")
async def speak_aside(socket: Socket, channel: str, users: list[str], text: str) -> bool:
    """To the channel, but not to these users."""
    others = [sid for user in users for sid in socket.participants(f"user:{user}")]
    skipped = [socket.sid, *others]
    await socket.emit("chat_aside", (socket.user, text), room=room_of(channel), skip_sid=skipped)
    return True


@realtime.on("chat_invite")
async def invite(socket: Socket, channel: str) -> bool:
    """Everybody on the site who is not in the channel."""
    members = [socket.sid, *socket.participants(room_of(channel))]
    invited = (channel, socket.user)
    await socket.emit("chat_invited", invited, room=EVERYBODY, skip_sid=members)
    return True


@realtime.on("chat_shout")
async def shout(socket: Socket, channels: list[str], text: str) -> bool:
    """To each once, also to who is in several."""
    told: list[str] = []
    for channel in channels:
        members = socket.participants(room_of(channel))
        await socket.emit("chat_shouted", (socket.user, text), room=room_of(channel), skip_sid=told)
        told += members
    return True


@realtime.on("chat_announce")
async def announce(socket: Socket, text: str) -> bool:
    await socket.emit("chat_announced", text, room=EVERYBODY)
    return True


@realtime.on("chat_recruit")
async def recruit(socket: Socket, channel: str) -> bool:
    members = socket.participants(room_of(channel))
    await socket.emit("chat_recruited", channel, room=EVERYBODY, skip_sid=members)
    return True


@realtime.on("chat_move")
async def move(socket: Socket, old: str, new: str) -> list[str]:
    """Who is in one channel is in the other from now on."""
    moved = [sockets[sid] for sid in socket.participants(room_of(old))]
    for other in moved:
        await enter(other, new)
        await quit_channel(other, old)
    return sorted(other.user for other in moved)


@realtime.on("chat_channels")
async def get_channels(socket: Socket, sid: str) -> list[str]:
    return sockets[sid].get("channels") if sid in sockets else []


@realtime.on("chat_leave")
async def leave(socket: Socket, channel: str) -> list[str]:
    await quit_channel(socket, channel)
    left = {"channel": channel, "user": socket.user}
    await socket.emit("chat_left", left, room=room_of(channel))
    return get_people(socket, channel)


@realtime.on("chat_once")
async def do_once(socket: Socket) -> None:
    if not socket.get("has_been"):
        await socket.set("has_been", True)
        await socket.emit("chat_first", True)


class Poked:
    """Counts, and stops to."""

    async def __call__(self, socket: Socket) -> None:
        if not socket.get("is_deaf"):
            await socket.set("pokes", socket.get("pokes", 0) + 1)


realtime.on("chat_poke")(Poked())


@realtime.on("chat_deaf")
def become_deaf(socket: SyncSocket) -> Awaitable[int]:
    """A plain function whose result is awaited."""
    socket.set("is_deaf", True)
    return asyncio.sleep(0, socket.get("pokes"))


@realtime.on("chat_trace")
async def trace(socket: Socket, wanted: bool) -> list[str]:
    if wanted:
        await socket.set("heard", [])
    await socket.set("is_tracing", wanted)
    heard: list[str] = socket.get("heard")
    return heard


def note(event: str) -> Callable[..., Any]:
    """One more function for the same event."""

    async def note(socket: Socket, *_: object) -> None:
        if socket.get("is_tracing"):
            socket.get("heard").append(event)

    return note


for event in TRACED:
    realtime.on(event)(note(event))


@realtime.on("disconnect", allow_guest=True)
async def disconnect(socket: Socket) -> None:
    """It is in no room any more."""
    sockets.pop(socket.sid, None)
    for channel in socket.get("channels"):
        left = {"channel": channel, "user": socket.user}
        await socket.emit("chat_left", left, room=room_of(channel))
