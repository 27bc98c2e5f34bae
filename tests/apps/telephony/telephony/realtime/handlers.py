"""A telephony panel: the server rings and waits for an answer, and notes go to the database.

What handlers.js beside it does, event by event, in Frappe's words for Python. There is one thing
that they do not have: to end a client's connection. A client is asked to do that itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import frappe
from frappe.realtime import Socket, realtime

if TYPE_CHECKING:
    from frappe_rt.handlers import SyncSocket

#: User -> phones, in the order in which they were ready.
phones: dict[str, list[Socket]] = {}


@realtime.on("ping", allow_guest=True)
async def ping(socket: Socket) -> None:
    await socket.emit("phone_alive")


@realtime.on("phone_ready")
async def ready(socket: Socket) -> tuple[str, int]:
    own = phones.setdefault(socket.user, [])
    own.append(socket)
    return socket.namespace, len(own)


async def ring(phone: Socket, about: object, patience: float) -> Any:
    """The first of what the phone answers; patience is in milliseconds."""
    answer = await phone.call("phone_ring", about, timeout=patience / 1000)
    return answer[0] if isinstance(answer, tuple) else answer


async def ring_all(called: list[Socket], about: object, patience: float) -> tuple[list[Any], str]:
    """The answers that came in time, sorted, and why there are no more."""
    answers = await asyncio.gather(
        *(ring(phone, about, patience) for phone in called), return_exceptions=True
    )
    late = [str(answer) for answer in answers if isinstance(answer, TimeoutError)]
    return sorted(answer for answer in answers if isinstance(answer, str)), "; ".join(late)


@realtime.on("phone_call")
async def call(socket: Socket, user: str, patience: float) -> dict[str, object]:
    if not phones.get(user):
        return {"state": "away"}
    await socket.set("calls", socket.get("calls", 0) + 1)
    about = {"from": socket.user, "calls": socket.get("calls")}
    try:
        return {"state": "answered", "answer": await ring(phones[user][0], about, patience)}
    except TimeoutError as error:
        return {"state": "missed", "why": str(error)}


@realtime.on("phone_confirm")
def confirm(socket: SyncSocket, number: str) -> tuple[str, Any]:
    """To whoever calls: is it really meant?"""
    return number, socket.call("phone_sure", number)


@realtime.on("phone_conference")
async def confer(socket: Socket, users: list[str]) -> list[Any]:
    called = [phone for user in users for phone in phones.get(user, [])]
    return (await ring_all(called, "all", 5000))[0]


@realtime.on("phone_poll")
async def poll(socket: Socket, patience: float) -> dict[str, object]:
    """Whoever has answered in time, and whether that is all."""
    called = [phone for own in phones.values() for phone in own if phone is not socket]
    answers, why = await ring_all(called, "poll", patience)
    return {"why": why or None, "answers": answers}


@realtime.on("phone_note", frappe_context=True)
def note(socket: SyncSocket, call: str, text: str) -> dict[str, object]:
    try:
        frappe.get_doc({"doctype": "Call Note", "call": call, "text": text}).insert()
    except frappe.PermissionError:
        return {"ok": False, "status": 403}
    return {"ok": True, "status": 200, "message": frappe.db.count("Call Note")}


@realtime.on("phone_notes", frappe_context=True)
def get_notes(socket: SyncSocket, call: str) -> list[str]:
    found: list[str] = frappe.get_all("Call Note", {"call": call}, pluck="text")
    return found


@realtime.on("phone_provider", frappe_context=True)
def get_provider(socket: SyncSocket) -> str:
    provider: str = frappe.conf.telephony_provider
    return provider


@realtime.on("phone_release")
async def release(socket: Socket, user: str) -> None:
    for phone in phones.get(user, []):
        await phone.emit("phone_hang_up")


@realtime.on("phone_close")
async def close(socket: Socket) -> None:
    for phone in [phone for own in phones.values() for phone in own]:
        await phone.emit("phone_hang_up")


@realtime.on("disconnect", allow_guest=True)
async def disconnect(socket: Socket) -> None:
    """It has gone, and still tells."""
    if socket in phones.get(socket.user, []):
        phones[socket.user].remove(socket)
    await socket.emit("phone_gone", socket.user, room="all")
