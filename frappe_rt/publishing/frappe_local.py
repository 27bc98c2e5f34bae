"""Read Frappe's state of the current request or job: site, user, task, transaction.

Frappe is looked up in ``sys.modules`` and never imported: a process that has not imported it has no
site, session or transaction. ``frappe.local``, ``frappe.session`` and ``frappe.db`` may be unbound
at any time (console, scheduler, plain script). So each function here may return None, and none
raises.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

_RESPONSE = "frappe.utils.response"


def get_frappe() -> ModuleType | None:
    """The ``frappe`` module of this process, or None."""
    return sys.modules.get("frappe")


def get_local() -> Any:
    """``frappe.local``, or None."""
    frappe: Any = get_frappe()
    try:
        return frappe.local
    except Exception:
        return None


def _read_local(name: str) -> Any:
    """An attribute of ``frappe.local``, or None where it is unbound.

    Unbound means an AttributeError, a RuntimeError of a werkzeug proxy, or another error.
    """
    frappe: Any = sys.modules.get("frappe")
    if frappe is None:  # an exception instead would cost as much as the rest of a publish
        return None
    try:
        local = frappe.local
        kind, read = _reader
        if kind is not type(local):
            read = _find_reader(type(local))
        return read(local, name)
    except Exception:
        return None


def _find_reader(kind: type) -> Callable[[Any, str], Any]:
    """The function that reads attributes of a ``frappe.local`` of this class; kept in `_reader`.

    In Frappe 15 that is werkzeug's Local, which answers in ``__getattr__``. The interpreter calls
    this only after the ordinary lookup has raised, and that takes two thirds of the time. So call
    it directly.
    """
    global _reader
    of_werkzeug = kind.__module__ == "werkzeug.local" and kind.__qualname__ == "Local"
    read = getattr(kind, "__getattr__", getattr) if of_werkzeug else getattr
    _reader = kind, read
    return read


_reader: tuple[type | None, Callable[[Any, str], Any]] = None, getattr


def get_site() -> str | None:
    """The site of the current request or job."""
    site: str | None = _read_local("site")
    return site


def get_session_user() -> str | None:
    """The logged-in user."""
    frappe: Any = sys.modules.get("frappe")
    if frappe is None:
        return None
    try:
        user: str | None = frappe.session.user
    except Exception:
        return None
    return user


def get_task_id() -> str | None:
    """The background task this code runs in."""
    task_id: str | None = _read_local("task_id")
    return task_id


def get_redis_url() -> str | None:
    """``redis_queue`` of the current site, whose own file overrides the bench's common one."""
    conf = _read_local("conf")
    if conf is None:
        return None
    try:
        url: str | None = conf.get("redis_queue")
    except Exception:
        return None
    return url


def get_database() -> Any:
    """``frappe.db`` when it has hooks (``after_commit``, ``after_rollback``), or None."""
    frappe: Any = get_frappe()
    try:
        database = frappe.db
        stands_for = getattr(database, "_get_current_object", None)
        if stands_for is not None:  # a werkzeug proxy; each access through it takes a microsecond
            database = stands_for()
        if database.after_commit is None or database.after_rollback is None:
            return None
    except Exception:
        return None
    return database


def get_json_handler() -> Callable[[Any], Any] | None:
    """``frappe.utils.response.json_handler``, which encodes Frappe's own types."""
    if get_frappe() is None:
        return None
    try:
        response = sys.modules.get(_RESPONSE) or import_module(_RESPONSE)
        handler: Callable[[Any], Any] = response.json_handler
    except Exception:  # the event goes out without it
        return None
    return handler
