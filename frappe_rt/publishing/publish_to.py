"""The short forms of `publish_realtime` in Frappe's develop branch: one per kind of receiver.

Each is one call of `publish_realtime`, with its rules: no error reaches the caller, `message` None
becomes ``{}``, and `site` is Frappe's current site unless given.
"""

from __future__ import annotations

from typing import Any

from frappe_rt.publishing import rooms
from frappe_rt.publishing.publish import publish_realtime


def publish_to_user(
    user: str,
    event: str,
    message: Any = None,
    *,
    after_commit: bool = False,
    site: str | None = None,
) -> None:
    """To all tabs of `user`."""
    publish_realtime(event, message, user=user, after_commit=after_commit, site=site)


def publish_to_doc(
    doctype: str,
    docname: str | int,
    event: str,
    message: Any = None,
    *,
    after_commit: bool = False,
    site: str | None = None,
) -> None:
    """To everybody who has this document open."""
    publish_realtime(
        event, message, doctype=doctype, docname=docname, after_commit=after_commit, site=site
    )


def publish_to_doctype(
    doctype: str,
    event: str,
    message: Any = None,
    *,
    after_commit: bool = False,
    site: str | None = None,
) -> None:
    """To everybody who has a list or a form of this doctype open."""
    publish_to_room(
        rooms.get_doctype_room(doctype), event, message, after_commit=after_commit, site=site
    )


def publish_task_progress(
    task_id: str, message: Any = None, *, after_commit: bool = False, site: str | None = None
) -> None:
    """To the watchers of this background job, as event ``task_progress``. Sent at once."""
    publish_realtime(message=message, task_id=task_id, after_commit=after_commit, site=site)


def publish_to_website(
    event: str, message: Any = None, *, after_commit: bool = False, site: str | None = None
) -> None:
    """To everybody on the site, guests too."""
    publish_to_room(rooms.get_website_room(), event, message, after_commit=after_commit, site=site)


def publish_to_all(
    event: str, message: Any = None, *, after_commit: bool = False, site: str | None = None
) -> None:
    """To all system users of the site."""
    publish_to_room(rooms.get_site_room(), event, message, after_commit=after_commit, site=site)


def publish_to_room(
    room: str,
    event: str,
    message: Any = None,
    *,
    after_commit: bool = False,
    site: str | None = None,
) -> None:
    """To exactly this room."""
    publish_realtime(event, message, room=room, after_commit=after_commit, site=site)
