"""A document that several edit: binary updates relayed to a room, and who is there."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from frappe.realtime import Socket, realtime

if TYPE_CHECKING:
    from frappe_rt.handlers import SyncSocket

#: Name -> updates, in the order in which they came.
updates: dict[str, list[bytes]] = {}
#: Id of a socket -> user and color.
people: dict[str, list[str]] = {}


def room_of(name: str) -> str:
    return f"document:{name}"


async def announce(socket: Socket, name: str) -> None:
    here = sorted(people[sid] for sid in socket.participants(room_of(name)) if sid in people)
    await socket.emit("document_people", {"name": name, "people": here}, room=room_of(name))


@realtime.on("document_open")
async def open_document(socket: Socket, name: str, color: str) -> tuple[bytes, ...] | None:
    if not await socket.has_permission("Document", name):
        return None
    await socket.set("name", name)
    people[socket.sid] = [socket.user, color]
    await socket.join(room_of(name))
    await announce(socket, name)
    return tuple(updates.get(name, []))


@realtime.on("document_update")
def update_document(socket: SyncSocket, update: bytes, details: object) -> dict[str, object]:
    name = socket.get("name")
    if not isinstance(update, bytes) or not name:
        return {"error": "no document or no bytes"}
    updates.setdefault(name, []).append(update)
    told = {"name": name, "update": update, "details": details}
    socket.emit("document_update", told, room=room_of(name), skip_sid=socket.sid)
    return {"bytes": len(update)}


@realtime.on("document_sizes")
async def get_sizes(socket: Socket) -> tuple[bytes, bytes]:
    sizes = [len(update) for update in updates.get(socket.get("name"), [])]
    return bytes(size % 256 for size in sizes), array("H", [s % 65536 for s in sizes]).tobytes()


@realtime.on("document_close")
async def close_document(socket: Socket) -> str:
    name: str = socket.get("name")
    await socket.set("name", None)
    await socket.leave(room_of(name))
    await announce(socket, name)
    return name


@realtime.on("disconnect")
async def disconnect(socket: Socket) -> None:
    people.pop(socket.sid, None)
    if socket.get("name"):
        await announce(socket, socket.get("name"))
