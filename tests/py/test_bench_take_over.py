"""Taking over Frappe's publishing, on the shape it has in each generation."""

import functools
import os
import signal
import sys
import threading
from types import ModuleType
from unittest.mock import Mock, patch

import pytest
from support.fakes import REALTIME

import frappe_rt
from frappe_rt import bench, publish_realtime

SITE = "one.localhost"
OURS = [(SITE, "user:u", "e", {"n": 1})]


@pytest.fixture(autouse=True)
def giving_back():
    yield
    bench.release()


@pytest.fixture
def realtime(rt, frappe):
    return frappe.realtime


@pytest.fixture
def app(monkeypatch):
    """A module of some app."""
    module = ModuleType("some_app.patches")
    monkeypatch.setitem(sys.modules, "some_app.patches", module)
    return module


def publish(frappe):
    frappe.publish_realtime("e", {"n": 1}, user="u")


def test_publishes_through_us(rt, frappe, realtime):
    bench.take_over()
    publish(frappe)
    realtime.publish_realtime("f", None)
    realtime.emit_via_redis("g", [1], None)
    realtime.emit_via_redis(event="h", message={}, room="r")
    assert rt.published == [
        *OURS, (SITE, "all", "f", None), (SITE, "", "g", [1]), (SITE, "r", "h", {}),
    ]  # fmt: skip
    assert frappe.sent == []


def test_is_reached_from_the_package(rt, frappe, realtime):
    with frappe_rt.bench.take_over():
        publish(frappe)
    assert rt.published == OURS


def test_undo_gives_it_back(rt, frappe, realtime):
    function = realtime.emit_via_redis
    before = function.__code__, function.__kwdefaults__
    taken = bench.take_over()
    assert taken.undo()
    assert not taken.undo()
    assert realtime.emit_via_redis is function
    assert (function.__code__, function.__kwdefaults__) == before
    publish(frappe)
    assert rt.published == []
    assert frappe.sent == OURS


def test_release_is_undo_without_the_handle(rt, frappe, realtime):
    assert not bench.release()
    bench.take_over()
    assert bench.release()
    assert not bench.release()
    publish(frappe)
    assert frappe.sent == OURS


def test_once(rt, frappe, realtime):
    assert bench.take_over() is bench.take_over()
    publish(frappe)
    assert rt.published == OURS
    bench.release()
    publish(frappe)
    assert frappe.sent == OURS


def test_again_after_undo(rt, frappe, realtime):
    first = bench.take_over()
    first.undo()
    second = bench.take_over()
    assert not first.undo()
    publish(frappe)
    assert rt.published == OURS
    assert second.undo()


class TestAfterCommit:
    def publish(self, frappe, **changes):
        frappe.publish_realtime("e", {"n": 1}, user="u", after_commit=True, **changes)

    def test_the_flush_is_ours(self, rt, frappe, realtime):
        bench.take_over()
        self.publish(frappe)
        self.publish(frappe)
        assert rt.published == []
        frappe.db.after_commit.run()
        assert rt.published == OURS

    def test_what_waited_before(self, rt, frappe, realtime):
        self.publish(frappe)
        bench.take_over()
        frappe.db.after_commit.run()
        assert rt.published == OURS

    def test_rollback_drops(self, rt, frappe, realtime):
        bench.take_over()
        self.publish(frappe)
        frappe.db.after_rollback.run()
        publish_realtime("f", user="u")
        assert [event for _, _, event, _ in rt.published] == ["f"]

    @pytest.mark.parametrize("ours_first", [True, False])
    def test_frappes_function_and_ours_share_a_transaction(self, rt, frappe, realtime, ours_first):
        bench.take_over()
        both = [self.publish, lambda frappe: publish_realtime("f", user="u", after_commit=True)]
        for one in reversed(both) if ours_first else both:
            one(frappe)
            one(frappe)
        assert len(frappe.db.after_commit.functions) == 1
        frappe.db.after_commit.run()
        events = [event for _, _, event, _ in rt.published]
        assert events == (["f", "e"] if ours_first else ["e", "f"])
        assert not hasattr(frappe.local, "_realtime_log")


class TestApps:
    def test_that_imported_it_before(self, rt, frappe, realtime, app):
        app.emit_via_redis = realtime.emit_via_redis
        bench.take_over()
        app.emit_via_redis("e", {"n": 1}, "user:u")
        assert rt.published == OURS

    def test_that_import_it_afterwards(self, rt, frappe, realtime):
        bench.take_over()
        from frappe.realtime import emit_via_redis

        emit_via_redis("e", {"n": 1}, "user:u")
        assert rt.published == OURS

    def test_that_patch_it_afterwards(self, rt, frappe, realtime):
        taken = bench.take_over()
        with patch("frappe.realtime.emit_via_redis") as emit:
            publish(frappe)
            assert bench.take_over() is taken
        emit.assert_called_once_with("e", {"n": 1}, "user:u")
        assert rt.published == []
        publish(frappe)
        assert rt.published == OURS

    def put_around(self, realtime, original, name):
        def emit(event, message, room):
            original(f"{name}({event})", message, room)

        realtime.emit_via_redis = emit
        return emit

    def test_that_put_theirs_around_it_before(self, rt, frappe, realtime, app):
        app.original = realtime.emit_via_redis
        self.put_around(realtime, lambda *args: app.original(*args), "app")
        bench.take_over()
        publish(frappe)
        assert [event for _, _, event, _ in rt.published] == ["app(e)"]
        bench.release()
        publish(frappe)
        assert [event for _, _, event, _ in frappe.sent] == ["app(e)"]

    def test_that_hold_it_in_closures(self, rt, frappe, realtime):
        inner = self.put_around(realtime, realtime.emit_via_redis, "inner")
        self.put_around(realtime, inner, "outer")
        bench.take_over()
        publish(frappe)
        assert [event for _, _, event, _ in rt.published] == ["inner(outer(e))"]

    def test_that_hold_it_in_a_decorated_partial(self, rt, frappe, realtime):
        original = realtime.emit_via_redis

        @functools.wraps(original)
        def emit(*args):
            emit.__wrapped__(*args)

        realtime.emit_via_redis = functools.partial(emit)
        bench.take_over()
        publish(frappe)
        assert rt.published == OURS

    def test_that_go_on_after_it_is_given_back(self, rt, frappe, realtime):
        bench.take_over()
        self.put_around(realtime, realtime.emit_via_redis, "app")
        bench.release()
        publish(frappe)
        assert [event for _, _, event, _ in frappe.sent] == ["app(e)"]


class TestRefusals:
    def test_no_frappe(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "frappe", None)
        with pytest.raises(ImportError, match="needs Frappe: run it by the Python of a bench"):
            bench.take_over()
        assert not bench.release()

    def test_frappes_own_is_not_to_be_found(self, frappe, realtime):
        realtime.emit_via_redis = Mock(name="theirs")
        with pytest.raises(RuntimeError, match=r"theirs.* call take_over\(\) before"):
            bench.take_over()
        assert not bench.release()

    @pytest.mark.parametrize(
        "parameters",
        ["event, message", "event, message, room, site=None", "event, message, channel",
         "event, message, room, *, site=None", "event, message, room, **others", "*args"],
    )  # fmt: skip
    def test_another_signature(self, frappe, realtime, parameters):
        exec(f"def emit_via_redis({parameters}): frappe.sent.append(1)", vars(realtime))
        with pytest.raises(RuntimeError, match=r"frappe_rt knows \(event, message, room\)"):
            bench.take_over()
        assert not bench.release()

    def test_variables_of_an_enclosing_function(self, frappe, realtime):
        exec(
            "def make(sent):\n"
            "    def emit_via_redis(event, message, room): sent.append(event)\n"
            "    return emit_via_redis\n"
            "emit_via_redis = make(frappe.sent)",
            vars(realtime),
        )
        with pytest.raises(RuntimeError, match="and more"):
            bench.take_over()
        frappe.realtime.emit_via_redis("e", {}, None)
        assert frappe.sent == ["e"]


def test_trouble_does_not_reach_the_caller(rt, frappe, realtime, complaints):
    bench.take_over()
    realtime.emit_via_redis("e", object(), "r")
    realtime.emit_via_redis("e", object(), "r")
    del frappe.local
    frappe_rt.config.give(frappe_rt.config.Given())
    realtime.emit_via_redis("e", {}, "r")
    assert len(complaints()) == 2
    stats = frappe_rt.publish_stats()
    assert (stats["lost_bad_message"], stats["lost_no_site"]) == (2, 1)


def test_child_stays_taken_over(rt, frappe, realtime):
    bench.take_over()
    child = os.fork()
    if child == 0:
        publish(frappe)
        ok = rt.published == OURS and bench.release() and not bench.release()
        publish(frappe)
        os._exit(0 if ok and frappe.sent == OURS else 1)
    assert os.waitpid(child, 0)[1] == 0
    publish(frappe)
    assert rt.published == OURS


def test_child_of_a_thread_that_was_taking_over(rt, frappe, realtime):
    bench.take_over()
    with sys.modules["frappe_rt.bench.take_over"]._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # its default ends the child
            os._exit(0 if bench.release() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_from_many_threads_at_once(rt, frappe, realtime):
    start = threading.Barrier(8)
    taken = []

    def run():
        start.wait()
        taken.append(bench.take_over())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 8
    assert len(set(map(id, taken))) == 1
    taken[0].undo()
    publish(frappe)
    assert frappe.sent == OURS


def test_an_import_of_frappe_may_take_over_itself(rt, frappe, realtime, monkeypatch, tmp_path):
    """An app that Frappe imports may call it while our call waits for that import."""
    package = tmp_path / "frappe"
    package.mkdir()
    (package / "realtime.py").write_text(
        f"import frappe\n{REALTIME}\nfrom frappe_rt import bench\nfrappe.taken = bench.take_over()"
    )
    frappe.__path__ = [str(package)]
    monkeypatch.delitem(sys.modules, "frappe.realtime")
    assert bench.take_over() is frappe.taken
    publish(frappe)
    assert rt.published == OURS
