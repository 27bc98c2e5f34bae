"""Frappe's realtime server as a thread of C, and the functions that publish through it.

>>> import frappe_rt
>>> with frappe_rt.start(site="demo.localhost", socketio_port=0):
...     frappe_rt.publish_realtime("note", {"text": "hello"}, user="ada@example.com")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frappe_rt._rt import version as __version__
from frappe_rt.loading import load as _load

if TYPE_CHECKING:
    from frappe_rt import bench as bench
    from frappe_rt.publishing.publish import publish_progress as publish_progress
    from frappe_rt.publishing.publish import publish_realtime as publish_realtime
    from frappe_rt.publishing.publish import publish_stats as publish_stats
    from frappe_rt.publishing.publish_to import publish_task_progress as publish_task_progress
    from frappe_rt.publishing.publish_to import publish_to_all as publish_to_all
    from frappe_rt.publishing.publish_to import publish_to_doc as publish_to_doc
    from frappe_rt.publishing.publish_to import publish_to_doctype as publish_to_doctype
    from frappe_rt.publishing.publish_to import publish_to_room as publish_to_room
    from frappe_rt.publishing.publish_to import publish_to_user as publish_to_user
    from frappe_rt.publishing.publish_to import publish_to_website as publish_to_website
    from frappe_rt.publishing.rooms import get_doc_room as get_doc_room
    from frappe_rt.publishing.rooms import get_doctype_room as get_doctype_room
    from frappe_rt.publishing.rooms import get_site_room as get_site_room
    from frappe_rt.publishing.rooms import get_task_progress_room as get_task_progress_room
    from frappe_rt.publishing.rooms import get_user_room as get_user_room
    from frappe_rt.publishing.rooms import get_website_room as get_website_room
    from frappe_rt.server import Server as Server
    from frappe_rt.server import reload as reload
    from frappe_rt.server import running as running
    from frappe_rt.server import start as start
    from frappe_rt.server import stats as stats
    from frappe_rt.server import stop as stop

#: Public name -> its module. Each is imported at first use: a process that only serves does not
#: load what publishes, and a process that only publishes does not load what serves.
_MODULES = {
    "Server": "server",
    "get_doc_room": "publishing.rooms",
    "get_doctype_room": "publishing.rooms",
    "get_site_room": "publishing.rooms",
    "get_task_progress_room": "publishing.rooms",
    "get_user_room": "publishing.rooms",
    "get_website_room": "publishing.rooms",
    "publish_progress": "publishing.publish",
    "publish_realtime": "publishing.publish",
    "publish_stats": "publishing.publish",
    "publish_task_progress": "publishing.publish_to",
    "publish_to_all": "publishing.publish_to",
    "publish_to_doc": "publishing.publish_to",
    "publish_to_doctype": "publishing.publish_to",
    "publish_to_room": "publishing.publish_to",
    "publish_to_user": "publishing.publish_to",
    "publish_to_website": "publishing.publish_to",
    "reload": "server",
    "running": "server",
    "start": "server",
    "stats": "server",
    "stop": "server",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> object:
    if name == "bench":
        return _load("frappe_rt.bench")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_load(f"frappe_rt.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
