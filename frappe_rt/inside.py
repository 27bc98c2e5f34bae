"""What Frappe says about the current request or job, when this process runs Frappe.

Frappe is looked up in ``sys.modules``, never brought in: a process that has not imported it has no
site, no session and no transaction to ask about. ``frappe.local``, ``frappe.session`` and
``frappe.db`` may be unbound at any time (console, scheduler, plain script), so each question has
None for an answer and none raises.
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
    return getattr(get_frappe(), "local", None)


def get_site() -> str | None:
    """The site of the current request or job."""
    frappe: Any = sys.modules.get("frappe")
    if frappe is None:
        return None
    try:
        site: str | None = frappe.local.site
    except Exception:  # unbound: AttributeError, RuntimeError of a werkzeug proxy, or yet another
        return None
    return site


def get_session_user() -> str | None:
    """Who is logged in."""
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
    frappe: Any = sys.modules.get("frappe")
    if frappe is None:
        return None
    try:
        task_id: str | None = frappe.local.task_id
    except Exception:
        return None
    return task_id


def get_redis_url() -> str | None:
    """``redis_queue`` of the current site, whose own file stands above the bench's common one."""
    frappe: Any = sys.modules.get("frappe")
    if frappe is None:  # to find out by an exception takes as long as the rest of a publish
        return None
    try:
        url: str | None = frappe.local.conf.get("redis_queue")
    except Exception:
        return None
    return url


def get_database() -> Any:
    """``frappe.db`` when it has hooks (``after_commit``, ``after_rollback``), or None."""
    frappe: Any = get_frappe()
    try:
        database = frappe.db
        if database.after_commit is None or database.after_rollback is None:
            return None
    except Exception:
        return None
    return database


def get_json_handler() -> Callable[[Any], Any] | None:
    """``frappe.utils.response.json_handler``, which knows Frappe's own types."""
    if get_frappe() is None:
        return None
    try:
        response = sys.modules.get(_RESPONSE) or import_module(_RESPONSE)
        handler: Callable[[Any], Any] = response.json_handler
    except Exception:  # a part of Frappe that cannot be had here must not cost the event
        return None
    return handler
