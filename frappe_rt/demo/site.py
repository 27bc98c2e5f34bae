"""The demo's site: users, sessions, permissions, and what the buttons publish."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import frappe_rt

NAME = "demo.localhost"
DOCTYPE, DOCNAME = "ToDo", "TODO-0001"
GUEST = "Guest"
#: User -> name on the page. All of them but Guest may see the document.
USERS = {
    "ada@example.com": "Ada",
    "grace@example.com": "Grace",
    "Administrator": "Administrator",
    GUEST: "Guest",
}
#: Seconds the progress dialog takes from 0 to 100, and its steps.
JOB_SECONDS, JOB_STEPS = 3.0, 50


@dataclass(frozen=True)
class Action:
    """A button: its label, the Python code that the page shows, and the function."""

    label: str
    code: str
    run: Callable[[str], None]


def _note(text: str, room: str) -> dict[str, str]:
    return {"text": text, "to": room}


def _to_me(user: str) -> None:
    message = _note("Only your tabs see this.", frappe_rt.get_user_room(user))
    frappe_rt.publish_realtime("note", message, user=user, site=NAME)


def _to_everybody(user: str) -> None:
    message = _note(f"{USERS[user]} says hello to everybody.", frappe_rt.get_site_room())
    frappe_rt.publish_realtime("note", message, site=NAME)


def _to_website(user: str) -> None:
    room = frappe_rt.get_website_room()
    message = _note(f"{USERS[user]} says hello, to guests as well.", room)
    frappe_rt.publish_realtime("note", message, room=room, site=NAME)


def _to_document(user: str) -> None:
    message = _note(f"{USERS[user]} has changed it.", frappe_rt.get_doc_room(DOCTYPE, DOCNAME))
    frappe_rt.publish_realtime("note", message, doctype=DOCTYPE, docname=DOCNAME, site=NAME)


def _list_update(user: str) -> None:
    message = {"doctype": DOCTYPE, "name": DOCNAME, "user": user}
    frappe_rt.publish_realtime("list_update", message, site=NAME)


def _msgprint(user: str) -> None:
    frappe_rt.publish_realtime("msgprint", "The import has been queued.", user=user, site=NAME)


def _progress(user: str) -> None:
    threading.Thread(target=_run_job, args=(user,), name="demo job", daemon=True).start()


def _run_job(user: str) -> None:
    """A background job as an app would write it."""
    for step in range(JOB_STEPS + 1):
        frappe_rt.publish_progress(
            step * 100 / JOB_STEPS,
            title="Importing customers",
            description=f"Row {step * 20} of {JOB_STEPS * 20}",
            user=user,
            site=NAME,
        )
        time.sleep(JOB_SECONDS / JOB_STEPS)


ACTIONS = {
    "me": Action("To me", 'publish_realtime("note", message, user=me)', _to_me),
    "everybody": Action("To everybody", 'publish_realtime("note", message)', _to_everybody),
    "website": Action(
        "To guests too", 'publish_realtime("note", message, room="website")', _to_website
    ),
    "document": Action(
        "To its viewers",
        'publish_realtime("note", message, doctype=…, docname=…)',
        _to_document,
    ),
    "list": Action("List update", 'publish_realtime("list_update", {"doctype": …})', _list_update),
    "msgprint": Action("Message", 'publish_realtime("msgprint", "…", user=me)', _msgprint),
    "progress": Action("Run a job", "publish_progress(percent, title, description=…)", _progress),
}


class Site:
    """Sessions, and the answers to the realtime server's questions."""

    def __init__(self) -> None:
        self._sessions = {GUEST: GUEST}  # as in Frappe, where a guest's session id is "Guest"

    def log_in(self, user: str) -> str:
        """A new session id. Raises KeyError for an unknown user."""
        USERS[user]
        sid = GUEST if user == GUEST else secrets.token_urlsafe(24)
        self._sessions[sid] = user
        return sid

    def get_user(self, sid: str | None) -> str | None:
        return self._sessions.get(sid) if sid else None

    def answer(self, method: str, user: str, query: dict[str, str]) -> Any:
        """What ``frappe.realtime.<method>`` returns, or None: not allowed, or no such method."""
        if method == "get_user_info":
            user_type = "Website User" if user == GUEST else "System User"
            return {"user": user, "user_type": user_type, "installed_apps": ["frappe"]}
        if method in ("has_permission", "can_subscribe_doctype", "can_subscribe_doc"):
            return True if user != GUEST and query.get("doctype") == DOCTYPE else None
        return None

    def publish(self, action: str, user: str) -> None:
        """Press a button. Raises KeyError when there is no such button."""
        ACTIONS[action].run(user)
