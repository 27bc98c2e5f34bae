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


def _ask(*names: str) -> Any:
    """``frappe.<name>.<name>...``, or None where something on the way is missing or unbound."""
    found: Any = get_frappe()
    for name in names:
        try:
            found = getattr(found, name, None)
        except Exception:  # an unbound werkzeug proxy raises RuntimeError, in some versions others
            return None
        if found is None:
            return None
    return found


def get_local() -> Any:
    """``frappe.local``, or None."""
    return _ask("local")


def get_site() -> str | None:
    """The site of the current request or job."""
    site: str | None = _ask("local", "site")
    return site


def get_session_user() -> str | None:
    """Who is logged in."""
    user: str | None = _ask("session", "user")
    return user


def get_task_id() -> str | None:
    """The background task this code runs in."""
    task_id: str | None = _ask("local", "task_id")
    return task_id


def get_redis_url() -> str | None:
    """``redis_queue`` of the current site, whose own file stands above the bench's common one."""
    conf = _ask("local", "conf")
    try:
        return conf.get("redis_queue") if conf is not None else None
    except Exception:
        return None


def get_database() -> Any:
    """``frappe.db`` when it has hooks (``after_commit``, ``after_rollback``), or None."""
    if _ask("db", "after_commit") is None or _ask("db", "after_rollback") is None:
        return None
    return _ask("db")


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
