"""A Frappe context around a handler: ``frappe_context=True``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def frappe_context(site: str, user: str) -> Iterator[None]:
    """Connected to the site's database as `user`; commits at the end, or rolls back.

    As in Frappe: ``init``, ``connect``, ``set_user``; ``destroy`` whatever happens. Runs in the
    context variables of the one event that it is for.
    """
    frappe: Any = importlib.import_module("frappe")
    try:
        frappe.init(site, force=True)
        frappe.connect(set_admin_as_user=False)
        frappe.set_user(user)
        yield
        frappe.db.commit()
    except BaseException:
        database = getattr(frappe.local, "db", None)
        if database is not None:
            database.rollback()
        raise
    finally:
        frappe.destroy()
