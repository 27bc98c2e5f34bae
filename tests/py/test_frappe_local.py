"""What Frappe says of the current request, by the `frappe.local` of each generation."""

import sys
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace

import pytest
from werkzeug.local import Local, LocalProxy

from frappe_rt.publishing import frappe_local

FACTS = {"site": "one.localhost", "task_id": "t1", "conf": {"redis_queue": "redis://own:1"}}


class LocalOfFrappe16:
    """Keeps all in one context variable; there are no ordinary attributes."""

    __slots__ = ()

    _variable: ContextVar[dict[str, object]] = ContextVar("frappe_local")

    def __getattribute__(self, name):
        try:
            return LocalOfFrappe16._variable.get({})[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        LocalOfFrappe16._variable.set(LocalOfFrappe16._variable.get({}) | {name: value})


class Subclass(Local):
    """Has an ordinary attribute before it asks the context."""

    __slots__ = ()

    site = "ordinary.localhost"


@pytest.fixture
def frappe(monkeypatch):
    module = ModuleType("frappe")
    monkeypatch.setitem(sys.modules, "frappe", module)
    LocalOfFrappe16._variable.set({})
    return module


def ask():
    return frappe_local.get_site(), frappe_local.get_task_id(), frappe_local.get_redis_url()


@pytest.mark.parametrize("kind", [Local, LocalOfFrappe16, SimpleNamespace])
def test_each_generation_tells_the_same(frappe, kind):
    frappe.local = kind()
    assert ask() == (None, None, None)
    for name, value in FACTS.items():
        setattr(frappe.local, name, value)
    assert ask() == ("one.localhost", "t1", "redis://own:1")
    frappe.local.conf = {}
    frappe.local.task_id = None
    assert ask() == ("one.localhost", None, None)


def test_one_kind_after_the_other(frappe):
    for kind in (SimpleNamespace, Local, LocalOfFrappe16, Local, SimpleNamespace):
        frappe.local = kind()
        frappe.local.site = f"{kind.__name__}.localhost"
        assert frappe_local.get_site() == f"{kind.__name__}.localhost"


def test_a_subclass_is_asked_as_it_wants(frappe):
    frappe.local = Subclass()
    assert frappe_local.get_site() == "ordinary.localhost"


def test_werkzeugs_is_asked_at_once(frappe, monkeypatch):
    """Not by ordinary lookup first, which takes two thirds of the time."""
    looked = []
    monkeypatch.setattr(frappe_local, "_reader", (None, getattr))  # and back to what it is now
    monkeypatch.setattr(Local, "__getattribute__", lambda local, name: looked.append(name), False)
    monkeypatch.setattr(Local, "__getattr__", lambda local, name: name.upper())
    frappe.local = Local()
    assert frappe_local.get_site() == "SITE"
    assert looked == []


def raise_runtime_error():
    raise RuntimeError("object is not bound")


@pytest.mark.parametrize(
    "local",
    [LocalProxy(raise_runtime_error), None, SimpleNamespace(conf=3), SimpleNamespace(conf=None)],
    ids=["unbound proxy", "none", "conf is a number", "no conf"],
)
def test_what_is_not_bound_is_none(frappe, local):
    frappe.local = local
    assert ask() == (None, None, None)


def test_the_database_itself_not_its_proxy(frappe):
    """Hooks are looked at more than once, and each look through a proxy costs."""
    frappe.local = Local()
    frappe.db = frappe.local("db")
    assert frappe_local.get_database() is None
    frappe.local.db = SimpleNamespace(after_commit=[], after_rollback=None)
    assert frappe_local.get_database() is None
    frappe.local.db.after_rollback = []
    assert frappe_local.get_database() is frappe.local.db
    frappe.db = SimpleNamespace(after_commit=[], after_rollback=[])
    assert frappe_local.get_database() is frappe.db


def test_without_local_or_frappe(frappe, monkeypatch):
    assert ask() == (None, None, None)
    assert frappe_local.get_database() is None
    monkeypatch.delitem(sys.modules, "frappe")
    assert ask() == (None, None, None)
    assert frappe_local.get_database() is None
