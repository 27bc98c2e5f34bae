"""The short forms: each is one call of `publish_realtime`, with exactly these arguments."""

import inspect

import pytest

import frappe_rt
from frappe_rt.publishing import publish_to

SITE = "one.localhost"
MESSAGE = {"n": 1}

CALLS = [
    ("publish_to_user", ("u", "e"), "user:u", "e", MESSAGE),
    ("publish_to_doc", ("D", "n", "e"), "doc:D/n", "e", MESSAGE),
    ("publish_to_doc", ("D", 7, "e"), "doc:D/7", "e", MESSAGE),
    ("publish_to_doctype", ("D", "e"), "doctype:D", "e", MESSAGE),
    ("publish_task_progress", ("t",), "task_progress:t", "task_progress",
     {**MESSAGE, "task_id": "t"}),
    ("publish_to_website", ("e",), "website", "e", MESSAGE),
    ("publish_to_all", ("e",), "all", "e", MESSAGE),
    ("publish_to_room", ("r", "e"), "r", "e", MESSAGE),
]  # fmt: skip
TABLE = pytest.mark.parametrize(("name", "arguments", "room", "event", "message"), CALLS)


@TABLE
def test_goes_where_its_name_says(rt, name, arguments, room, event, message):
    getattr(frappe_rt, name)(*arguments, dict(MESSAGE), site="two.localhost")
    assert rt.published == [("two.localhost", room, event, message)]


@TABLE
def test_no_message_is_an_empty_one(rt, frappe, name, arguments, room, event, message):
    getattr(frappe_rt, name)(*arguments)
    [published] = rt.published
    assert published[:3] == (SITE, room, event)
    assert set(published[3]) <= {"task_id"}


@TABLE
def test_after_commit(rt, frappe, name, arguments, room, event, message):
    getattr(frappe_rt, name)(*arguments, dict(MESSAGE), after_commit=True)
    at_once = [(SITE, room, event, message)] if name == "publish_task_progress" else []
    assert rt.published == at_once
    frappe.db.after_commit.run()
    assert rt.published == [(SITE, room, event, message)]


def test_inside_a_task_rooms_that_are_named_win(rt, frappe):
    frappe.local.task_id = "t"
    frappe_rt.publish_to_room("r", "e", {})
    frappe_rt.publish_to_website("e", {})
    frappe_rt.publish_to_user("u", "e", {})  # the task goes before the user, as in Frappe
    assert [room for _, room, _, _ in rt.published] == ["r", "website", "task_progress:t"]


@pytest.mark.parametrize("name", sorted({call[0] for call in CALLS}))
def test_signature_is_frappes_and_a_site(name):
    *positional, after_commit, site = inspect.signature(
        getattr(publish_to, name)
    ).parameters.values()
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in positional)
    assert positional[-1].name == "message"
    assert positional[-1].default is None
    assert (after_commit.name, after_commit.kind) == ("after_commit", after_commit.KEYWORD_ONLY)
    assert (site.name, site.kind, site.default) == ("site", site.KEYWORD_ONLY, None)
