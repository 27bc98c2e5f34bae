"""Frappe's rules, by a table: a call, and what leaves the process for it."""

import copy
import json
import signal
import sys
from types import ModuleType

import pytest
from support.fakes import Unbound

import frappe_rt
from frappe_rt.publishing import deliver, publish
from frappe_rt.publishing.publish import flush_realtime_log, publish_progress, publish_realtime

SITE = "one.localhost"


@pytest.mark.parametrize(
    ("call", "room", "event", "message"),
    [
        # nothing said
        ({}, "all", "global", {}),
        ({"event": "note"}, "all", "note", {}),
        # messages
        ({"event": "note", "message": "text"}, "all", "note", "text"),
        ({"event": "note", "message": [1, None]}, "all", "note", [1, None]),
        ({"event": "note", "message": 0}, "all", "note", 0),
        ({"event": "note", "data": {"a": 1}}, "all", "note", {"a": 1}),
        ({"event": "note", "message": {}, "data": {"a": 1}}, "all", "note", {}),
        ({"event": "list_update", "data": {"doctype": "D"}}, "doctype:D", "list_update",
         {"doctype": "D"}),
        # an empty name is a name, to Frappe and to browsers
        ({"event": "", "task_id": "t"}, "task_progress:t", "", {"task_id": "t"}),
        # rooms, in the order they win
        ({"event": "note", "room": "website"}, "website", "note", {}),
        ({"event": "note", "room": "r", "user": "u", "task_id": "t"}, "r", "note", {}),
        ({"event": "note", "task_id": "t", "user": "u"}, "task_progress:t", "note",
         {"task_id": "t"}),
        ({"event": "note", "user": "u", "doctype": "D", "docname": "n"}, "user:u", "note", {}),
        ({"event": "note", "doctype": "D", "docname": "n"}, "doc:D/n", "note", {}),
        ({"event": "note", "doctype": "D", "docname": 7}, "doc:D/7", "note", {}),
        ({"event": "note", "doctype": "D"}, "all", "note", {}),
        ({"event": "note", "docname": "n"}, "all", "note", {}),
        # tasks
        ({"task_id": "t"}, "task_progress:t", "task_progress", {"task_id": "t"}),
        ({"task_id": "t", "message": {"task_id": "other"}}, "task_progress:t", "task_progress",
         {"task_id": "other"}),
        ({"task_id": "t", "message": "text"}, "task_progress:t", "task_progress", "text"),
        # events with a place of their own
        ({"event": "list_update", "message": {"doctype": "D"}}, "doctype:D", "list_update",
         {"doctype": "D"}),
        ({"event": "list_update", "doctype": "E", "message": {"doctype": "D"}, "room": "r"},
         "doctype:E", "list_update", {"doctype": "D"}),
        ({"event": "list_update", "message": "text", "doctype": "D"}, "doctype:D", "list_update",
         "text"),
        ({"event": "docinfo_update", "doctype": "D", "docname": "n", "room": "r", "user": "u"},
         "doc:D/n", "docinfo_update", {}),
        ({"event": "msgprint", "message": "hi", "user": "u"}, "user:u", "msgprint", "hi"),
        ({"event": "msgprint", "message": "hi", "room": "r"}, "r", "msgprint", "hi"),
    ],
)  # fmt: skip
class TestEventAndRoom:
    def test_outside_frappe(self, rt, call, room, event, message):
        publish_realtime(**call, site=SITE)
        assert rt.published == [(SITE, room, event, message)]

    def test_inside_frappe(self, rt, frappe, call, room, event, message):
        publish_realtime(**call)
        assert rt.published == [(SITE, room, event, message)]


def test_positional_arguments_are_in_frappes_order(rt):
    publish_realtime("e", {"a": 1}, None, "u", "D", "n", None, False)
    publish_realtime("e", {"a": 1}, None, None, "D", "n", "t")
    assert [room for _, room, _, _ in rt.published] == ["user:u", "task_progress:t"]


def test_msgprint_goes_to_who_is_logged_in(rt, frappe):
    publish_realtime("msgprint", "hi")
    assert rt.published == [(SITE, "user:ada@example.com", "msgprint", "hi")]


def test_msgprint_without_session_goes_to_all(rt, frappe):
    frappe.session = Unbound()
    publish_realtime("msgprint", "hi")
    assert rt.published == [(SITE, "all", "msgprint", "hi")]


def test_inside_a_task(rt, frappe):
    frappe.local.task_id = "t9"
    publish_realtime(message={"n": 1})
    publish_realtime("note", user="u")
    publish_realtime("note", room="r")
    assert rt.published == [
        (SITE, "task_progress:t9", "task_progress", {"n": 1, "task_id": "t9"}),
        (SITE, "task_progress:t9", "note", {"task_id": "t9"}),
        (SITE, "r", "note", {}),
    ]


def test_task_id_is_written_into_the_callers_message(rt):
    message = {"n": 1}
    publish_realtime(message=message, task_id="t")
    assert message == {"n": 1, "task_id": "t"}


class TestSite:
    def test_given_to_the_call(self, rt, frappe):
        publish_realtime("e", site="two.localhost")
        assert rt.published[0][0] == "two.localhost"

    def test_frappes_stands_above_the_servers(self, rt, frappe):
        frappe.local.site = "three.localhost"
        publish_realtime("e")
        assert rt.published[0][0] == "three.localhost"

    def test_default_site_is_the_last_resort(self, rt):
        rt.values["default_site"] = "four.localhost"
        deliver.config.give(deliver.config.Given())
        publish_realtime("e")
        assert rt.published[0][0] == "four.localhost"

    def test_none_at_all_is_counted_and_told(self, rt, complaints):
        deliver.config.give(deliver.config.Given())
        publish_realtime("e")
        assert rt.published == []
        assert deliver.get_counters()["lost_no_site"] == 1
        assert complaints() == [
            "not published, event 'e': no site known; give site= (1 lost so far)"
        ]


class TestProgress:
    def test_to_who_is_logged_in(self, rt, frappe):
        publish_progress(40, "Import", description="row 4")
        message = {"percent": 40, "title": "Import", "description": "row 4"}
        assert rt.published == [(SITE, "user:ada@example.com", "progress", message)]

    def test_to_a_given_user(self, rt):
        publish_progress(1.5, user="u")
        message = {"percent": 1.5, "title": None, "description": None}
        assert rt.published == [(SITE, "user:u", "progress", message)]

    @pytest.mark.parametrize(
        ("call", "room"),
        [
            ({"doctype": "D", "docname": "n"}, "doc:D/n"),
            ({"doctype": "D"}, "user:ada@example.com"),
            ({"docname": "n"}, "user:ada@example.com"),
            ({"doctype": "D", "docname": "n", "task_id": "t"}, "task_progress:t"),
        ],
    )
    def test_to_document_or_task(self, rt, frappe, call, room):
        publish_progress(40, **call)
        assert [published[1] for published in rt.published] == [room]

    def test_positional_arguments_are_in_frappes_order(self, rt):
        publish_progress(40, "T", "D", "n", "text", None)
        message = {"percent": 40, "title": "T", "description": "text"}
        assert rt.published == [(SITE, "doc:D/n", "progress", message)]


class TestAfterCommit:
    def test_waits_for_the_commit(self, rt, frappe):
        publish_realtime("e", {"n": 1}, user="u", after_commit=True)
        assert rt.published == []
        frappe.db.after_commit.run()
        assert rt.published == [(SITE, "user:u", "e", {"n": 1})]

    def test_rollback_drops(self, rt, frappe):
        publish_realtime("e", after_commit=True)
        frappe.db.after_rollback.run()
        frappe.db.after_commit.run()
        assert rt.published == []

    def test_equal_ones_are_one_and_order_is_kept(self, rt, frappe):
        for event in ("a", "b", "a"):
            publish_realtime(event, {"n": 1}, after_commit=True)
        publish_realtime("a", {"n": 2}, after_commit=True)
        publish_realtime("a", {"n": 1}, room="r", after_commit=True)
        frappe.db.after_commit.run()
        assert [(event, room, message["n"]) for _, room, event, message in rt.published] == [
            ("a", "all", 1),
            ("b", "all", 1),
            ("a", "all", 2),
            ("a", "r", 1),
        ]

    def test_hooks_are_set_once_per_transaction(self, rt, frappe):
        for n in range(3):
            publish_realtime("e", n, after_commit=True)
        assert len(frappe.db.after_commit.functions) == 1
        assert len(frappe.db.after_rollback.functions) == 1
        frappe.db.after_commit.run()
        publish_realtime("e", 9, after_commit=True)
        frappe.db.after_commit.run()
        assert [message for *_, message in rt.published] == [0, 1, 2, 9]

    def test_message_and_site_are_read_at_the_flush(self, rt, frappe):
        message = {"n": 1}
        publish_realtime("e", message, after_commit=True)
        message["n"] = 2
        frappe.local.site = "two.localhost"
        frappe.db.after_commit.run()
        assert rt.published == [("two.localhost", "all", "e", {"n": 2})]

    def test_the_log_is_frappes_own(self, rt, frappe):
        publish_realtime("e", {"n": 1}, room="r", after_commit=True)
        assert frappe.local._realtime_log == [["e", {"n": 1}, "r"]]
        publish.clear_realtime_log()
        assert not hasattr(frappe.local, "_realtime_log")

    @pytest.mark.parametrize(
        "message",
        [{"n": 1}, "text", {}, None, 1, [1], {"rows": [1]}, {"of": {"n": 1}}, (1,)],
        ids=repr,
    )
    def test_equal_messages_of_any_kind_are_one(self, rt, frappe, message):
        for n in range(3):
            publish_realtime("e", copy.deepcopy(message), after_commit=True)
            publish_realtime("e", {"other": n}, after_commit=True)
        frappe.db.after_commit.run()
        first = {} if message is None else json.loads(json.dumps(message))
        assert [message for *_, message in rt.published] == [
            first, {"other": 0}, {"other": 1}, {"other": 2},
        ]  # fmt: skip

    def test_equal_by_value_not_by_name_or_order(self, rt, frappe):
        for message in ({"a": 1, "b": True}, {"b": 1, "a": True}, {"a": 1.0, "b": 1}):
            publish_realtime("e", message, after_commit=True)
        publish_realtime("e", "a", after_commit=True)
        publish_realtime("e", {"a": 1}, after_commit=True)
        frappe.db.after_commit.run()
        assert [message for *_, message in rt.published] == [
            {"a": 1, "b": True}, "a", {"a": 1},
        ]  # fmt: skip

    def test_one_that_has_changed_is_another(self, rt, frappe):
        """It was equal when it was added, and is not now: none of the two may be dropped."""
        message = {"n": 1}
        publish_realtime("e", message, after_commit=True)
        message["n"] = 2
        publish_realtime("e", {"n": 1}, after_commit=True)
        publish_realtime("e", {"n": 1}, after_commit=True)
        frappe.db.after_commit.run()
        assert [message for *_, message in rt.published] == [{"n": 2}, {"n": 1}]

    def test_what_frappe_has_added_counts(self, rt, frappe):
        publish_realtime("e", {"n": 1}, room="r", after_commit=True)
        frappe.local._realtime_log.append(["e", {"n": 2}, "r"])
        publish_realtime("e", {"n": 2}, room="r", after_commit=True)
        publish_realtime("e", {"n": 3}, room="r", after_commit=True)
        assert frappe.local._realtime_log == [["e", {"n": n}, "r"] for n in (1, 2, 3)]

    def test_a_log_that_frappe_has_begun(self, rt, frappe):
        frappe.local._realtime_log = [["e", {"n": 1}, "r"]]
        for n in (1, 2, 2):
            publish_realtime("e", {"n": n}, room="r", after_commit=True)
        assert frappe.local._realtime_log == [["e", {"n": n}, "r"] for n in (1, 2)]

    def test_many_are_not_compared_with_each_other(self, rt, frappe):
        compared = []

        class Name(str):
            __slots__ = ()

            def __eq__(self, other):
                compared.append(other)
                return str.__eq__(self, other)

            __hash__ = str.__hash__

        for n in range(300):
            publish_realtime("e", {"name": Name(n)}, after_commit=True)
        assert len(frappe.local._realtime_log) == 300
        assert len(compared) < 300  # of 45 000

    def test_what_has_no_hash_waits_all_the_same(self, rt, frappe, complaints):
        class Strange(str):
            __slots__ = ()

            def __hash__(self):
                raise ValueError("no hash")

        for _ in range(2):
            publish_realtime("e", {"n": Strange("x")}, after_commit=True)
        publish_realtime("e", {"n": 1}, room=["no", "room"], after_commit=True)
        frappe.db.after_commit.run()
        assert [message for *_, message in rt.published] == [{"n": "x"}]
        assert len(complaints()) == 1  # of the room

    def test_a_signal_in_one_of_them_costs_no_other(self, rt, frappe):
        class Ringing:
            def as_dict(self):
                signal.raise_signal(signal.SIGUSR1)

        def handle(*_):
            raise TimeoutError("the job takes too long")

        for n, message in enumerate(({}, Ringing(), {}, {})):
            publish_realtime(f"e{n}", message, after_commit=True)
        before = signal.signal(signal.SIGUSR1, handle)
        try:
            with pytest.raises(TimeoutError, match="too long"):
                frappe.db.after_commit.run()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert [event for _, _, event, _ in rt.published] == ["e0", "e2", "e3"]

    def test_tasks_do_not_wait(self, rt, frappe):
        publish_realtime("e", task_id="t", after_commit=True)
        assert len(rt.published) == 1

    def test_list_update_in_a_task_waits(self, rt, frappe):
        frappe.local.task_id = "t"
        publish_realtime("list_update", {"doctype": "D"}, after_commit=True)
        assert rt.published == []

    @pytest.mark.parametrize("database", [None, Unbound()], ids=["none", "unbound"])
    def test_without_database_at_once(self, rt, frappe, database):
        frappe.db = database
        publish_realtime("e", after_commit=True)
        assert len(rt.published) == 1

    def test_outside_frappe_at_once(self, rt):
        publish_realtime("e", after_commit=True)
        assert len(rt.published) == 1

    def test_another_site_at_once(self, rt, frappe):
        publish_realtime("e", after_commit=True, site="two.localhost")
        assert [published[0] for published in rt.published] == ["two.localhost"]


class TestNeverRaises:
    def test_frappe_without_anything(self, rt, frappe):
        frappe.local = frappe.session = frappe.db = Unbound()
        publish_realtime("e", after_commit=True)
        publish_progress(5)
        assert [event for _, _, event, _ in rt.published] == ["e", "progress"]

    @pytest.mark.parametrize(
        "call",
        [
            {"event": "e", "message": object()},
            {"event": 5},
            {"event": "e", "room": 5},
            {"event": "bad \ud800 text"},
            {"event": "e", "site": 5},
        ],
    )
    def test_what_cannot_be_sent(self, rt, complaints, call):
        publish_realtime(**call)
        assert rt.published == []
        assert deliver.get_counters()["lost_bad_message"] == 1
        assert len(complaints()) == 1

    def test_objects_that_raise_when_compared_differ(self, rt, frappe, complaints):
        class Array(list):
            def __eq__(self, other):
                raise ValueError("ambiguous")

            __hash__ = None

        for number in (1, 1):
            publish_realtime("e", Array([number]), after_commit=True)
        frappe.db.after_commit.run()
        assert [message for *_, message in rt.published] == [[1], [1]]
        assert complaints() == []

    @pytest.mark.parametrize("hooks", ["after_commit", "after_rollback"])
    def test_hooks_that_cannot_be_set(self, rt, frappe, hooks):
        """That event is lost and counted; those after it must not wait for nobody."""
        set_once = getattr(frappe.db, hooks)
        setattr(frappe.db, hooks, object())
        publish_realtime("e", after_commit=True)
        assert deliver.get_counters()["lost_bad_message"] == 1
        setattr(frappe.db, hooks, set_once)
        publish_realtime("f", after_commit=True)
        frappe.db.after_commit.run()
        assert [event for _, _, event, _ in rt.published] == ["f"]

    def test_a_module_that_does_not_answer(self, rt, complaints, monkeypatch):
        """As one that is loaded when something of it is asked for, and cannot be."""

        class Lazy(ModuleType):
            def __getattr__(self, name):
                raise RuntimeError(f"no {name} yet")

        monkeypatch.setitem(sys.modules, "frappe", Lazy("frappe"))
        publish_realtime("msgprint", "hi", after_commit=True)
        flush_realtime_log()
        assert [event for _, _, event, _ in rt.published] == ["msgprint"]
        assert complaints() == []

    @pytest.mark.parametrize("missing", ["local", "session", "db", "all"])
    def test_parts_of_frappe_that_are_missing(self, rt, frappe, complaints, missing):
        for name in ("local", "session", "db") if missing == "all" else (missing,):
            delattr(frappe, name)
        publish_realtime("msgprint", "hi", after_commit=True)
        publish_progress(5)
        if frappe.__dict__.get("db"):
            frappe.db.after_commit.run()
        assert sorted(event for _, _, event, _ in rt.published) == ["msgprint", "progress"]
        assert complaints() == []

    def test_loss_is_told_once_and_counted(self, rt, complaints):
        for _ in range(3):
            publish_realtime("e", object())
        assert frappe_rt.publish_stats()["lost_bad_message"] == 3
        assert complaints() == [
            "not published, event 'e' for room 'all': object cannot be sent to a browser "
            "(1 lost so far)"
        ]
