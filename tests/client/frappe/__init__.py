"""As much of Frappe as the sample apps' Python handlers ask for, on a bench without a database.

Call notes are kept in ``notes`` of the bench, one JSON list a line, once they are committed.
"""

import json
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace

NOTES = Path("../notes")  # handlers run in sites/

_locals = ContextVar("locals")


class PermissionError(Exception):
    """The user may not do that."""


class Database:
    def __init__(self):
        self.inserted = []

    def commit(self):
        with NOTES.open("a") as file:
            file.writelines(f"{json.dumps(note)}\n" for note in self.inserted)
        self.inserted = []

    def rollback(self):
        self.inserted = []

    def read(self):
        kept = NOTES.read_text().splitlines() if NOTES.exists() else []
        return [json.loads(line) for line in kept] + self.inserted

    def count(self, doctype):
        return len(self.read())


def init(site, force=False):
    conf = json.loads(Path("common_site_config.json").read_text())
    _locals.set(SimpleNamespace(site=site, conf=SimpleNamespace(**conf)))


def connect(set_admin_as_user=True):
    _locals.get().db = Database()


def set_user(user):
    _locals.get().session = SimpleNamespace(user=user)


def destroy():
    _locals.set(SimpleNamespace())


def get_doc(values):
    return SimpleNamespace(insert=lambda: _insert(values))


def _insert(note):
    if note["call"] == "secret":
        raise PermissionError
    db, user = _locals.get().db, _locals.get().session.user
    db.inserted.append([user, note["call"], note["text"]])


def get_all(doctype, filters, pluck):
    return [text for _, call, text in _locals.get().db.read() if call == filters["call"]]


def __getattr__(name):
    """``frappe.db``, ``frappe.session``, ``frappe.conf``: of the event at hand."""
    if name == "local":
        return _locals.get(SimpleNamespace())
    if name in ("db", "session", "conf"):
        return getattr(_locals.get(SimpleNamespace()), name)
    raise AttributeError(name)
