"""Where a publish goes, and what happens when it cannot."""

import logging
import os
import signal
import threading

import pytest

from frappe_rt import config
from frappe_rt.publishing import deliver
from frappe_rt.publishing.deliver import get_counters
from frappe_rt.publishing.publish import publish_realtime


@pytest.fixture
def elsewhere(rt):
    """No server thread in this process."""
    rt.here = False
    return rt


def test_thread_of_this_process_first(rt):
    publish_realtime("e", {"n": 1})
    assert rt.envelopes == []
    assert get_counters()["to_thread"] == 1


def test_full_inbox_loses_and_does_not_fall_to_redis(rt, complaints):
    rt.full = True
    publish_realtime("e")
    assert rt.envelopes == []
    assert get_counters()["lost_inbox_full"] == 1
    assert complaints() == ["not published, event 'e': the server does not keep up (1 lost so far)"]


def test_redis_gets_frappes_envelope(elsewhere):
    publish_realtime("e", {"n": 1}, user="u")
    assert elsewhere.envelopes == [
        (
            "redis://127.0.0.1:11000",
            {"event": "e", "message": {"n": 1}, "room": "user:u", "namespace": "one.localhost"},
        )
    ]
    assert get_counters()["to_redis"] == 1


def test_whole_site_has_no_room(elsewhere):
    deliver.deliver("e", None, None)
    assert elsewhere.envelopes[0][1] == {
        "event": "e", "message": None, "room": None, "namespace": "one.localhost",
    }  # fmt: skip


def test_the_sites_own_redis_stands_above(elsewhere, frappe):
    frappe.local.conf = {"redis_queue": "redis://own:1"}
    publish_realtime("e")
    assert elsewhere.envelopes[0][0] == "redis://own:1"


def test_configuration_is_read_once(elsewhere):
    for _ in range(3):
        publish_realtime("e")
    assert elsewhere.loads == 1
    config.give(config.Given(site="x"))
    publish_realtime("e")
    assert elsewhere.loads == 2


def test_redis_away_is_counted_and_told_once(elsewhere, complaints, monkeypatch):
    elsewhere.redis_error = OSError("connection refused")
    now = 1000.0
    monkeypatch.setattr(deliver, "monotonic", lambda: now)
    for _ in range(5):
        publish_realtime("e")
    assert get_counters()["lost_redis_away"] == 5
    assert complaints() == ["not published, event 'e': connection refused (1 lost so far)"]
    now += deliver.QUIET_SECONDS
    publish_realtime("e")
    assert complaints()[1:] == ["not published, event 'e': connection refused (6 lost so far)"]


def fill_inbox(rt):
    rt.full = True


def lose_local(rt):
    rt.here = False
    rt.values["frappe_rt_publish"] = "local"


def lose_redis(rt):
    rt.here = False
    rt.redis_error = OSError("connection refused")


def switch_redis_off(rt):
    rt.here = False
    rt.values["frappe_rt_redis"] = False


def forget_site(rt):
    config.give(config.Given())


def break_config(rt):
    rt.here = False
    rt.config_error = ValueError("broken")


def spoil_message(rt):
    rt.publish = lambda *_: object() + 1


LOSSES = {
    "lost_inbox_full": fill_inbox,
    "lost_local_away": lose_local,
    "lost_redis_away": lose_redis,
    "lost_no_redis": switch_redis_off,
    "lost_no_site": forget_site,
    "lost_bad_config": break_config,
    "lost_bad_message": spoil_message,
}


@pytest.mark.parametrize("counter", LOSSES)
def test_each_kind_of_loss_has_its_counter_and_a_line_in_a_while(
    rt, complaints, monkeypatch, counter
):
    now = 1000.0
    monkeypatch.setattr(deliver, "monotonic", lambda: now)
    LOSSES[counter](rt)
    for _ in range(3):
        publish_realtime("e")
    now += deliver.QUIET_SECONDS - 1
    publish_realtime("e")
    assert {name: count for name, count in get_counters().items() if count} == {counter: 4}
    assert len(complaints()) == 1
    now += 1
    publish_realtime("e")
    assert len(complaints()) == 2
    assert complaints()[1].endswith("(5 lost so far)")


def test_every_kind_of_loss_is_in_that_table():
    told = {name for name in get_counters() if name.startswith("lost_")}
    assert set(LOSSES) == told - {"lost_server_stuck"}


def test_what_a_stuck_server_lost_is_counted_and_is_the_parents(rt):
    rt.lost_by_server = 3
    assert get_counters()["lost_server_stuck"] == 3
    deliver._forget_in_child()
    assert get_counters()["lost_server_stuck"] == 0
    rt.lost_by_server = 5
    assert get_counters()["lost_server_stuck"] == 2
    rt.lost_by_server = 0
    deliver._forget_in_child()


def test_counters_lose_nothing_to_other_threads(rt):
    """Who counts takes no lock, and who looks must not be seen in the count."""
    each, looks = 20_000, []

    def work():
        for _ in range(each):
            deliver.deliver("e", None, "r", "s")

    rt.publish = lambda *_: True
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        looks.append(get_counters()["to_thread"])
    for thread in threads:
        thread.join()
    assert looks == sorted(looks)
    assert [get_counters()["to_thread"] for _ in range(3)] == [4 * each] * 3


def test_a_signal_whose_handler_publishes(elsewhere, monkeypatch):
    """In the middle of the telling of a loss, where the lock is held."""

    class Told(dict):
        def get(self, kind, default):
            if kind == "lost_redis_away":
                signal.raise_signal(signal.SIGUSR1)
            return super().get(kind, default)

    def handle(*_):
        publish_realtime("of the handler", object())

    monkeypatch.setattr(deliver, "_told", Told())
    elsewhere.redis_error = OSError("connection refused")
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        publish_realtime("e")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert get_counters()["lost_redis_away"] == get_counters()["lost_bad_message"] == 1


@pytest.mark.parametrize("kind", [RuntimeError, TimeoutError])  # the latter is an OSError
@pytest.mark.parametrize("where", ["sending", "telling", "message"])
def test_what_a_signals_handler_raises_reaches_the_caller(elsewhere, monkeypatch, kind, where):
    """RQ ends a job so whose time is over, and most of that time was perhaps spent on Redis."""

    class Limit:
        def reached(self, *_):
            raise kind("the job takes too long")

    class Ringing:
        def as_dict(self):
            signal.raise_signal(signal.SIGUSR1)

    class Ringer(logging.Handler):
        def emit(self, record):
            signal.raise_signal(signal.SIGUSR1)

    def ring(*_):
        signal.raise_signal(signal.SIGUSR1)

    if where == "sending":
        elsewhere.redis_publish = ring
    elif where == "telling":
        elsewhere.redis_error = OSError("connection refused")
        monkeypatch.setattr(logging.getLogger("frappe_rt"), "handlers", [Ringer()])
    before = signal.signal(signal.SIGUSR1, Limit().reached)
    try:
        with pytest.raises(kind, match="too long"):
            publish_realtime("e", Ringing() if where == "message" else {})
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_a_handler_raised_before_is_not_raised_again(elsewhere):
    """A job that says that its time was over, from where it has noticed."""

    def handle(*_):
        raise RuntimeError("the job takes too long")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        signal.raise_signal(signal.SIGUSR1)
    except RuntimeError:
        publish_realtime("e", object())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert get_counters()["lost_bad_message"] == 1


def test_other_trouble_is_told_meanwhile(elsewhere, complaints):
    elsewhere.redis_error = OSError("connection refused")
    publish_realtime("e")
    publish_realtime("f", object())
    assert len(complaints()) == 2


def test_redis_switched_off(elsewhere):
    elsewhere.values["frappe_rt_redis"] = False
    publish_realtime("e")
    assert elsewhere.envelopes == []
    assert get_counters()["lost_no_redis"] == 1


@pytest.fixture
def beside(elsewhere):
    """A server listens on this host's local socket."""
    elsewhere.local_socket = "/bench/config/frappe_rt.sock"
    return elsewhere


def test_local_socket_before_redis(beside):
    publish_realtime("e", {"n": 1}, user="u")
    deliver.deliver("f", 2, None, "two.localhost")
    assert beside.local == [
        (beside.local_socket, "one.localhost", "user:u", "e", {"n": 1}),
        (beside.local_socket, "two.localhost", "", "f", 2),
    ]
    assert beside.envelopes == []
    assert get_counters()["to_local"] == 2


def test_local_socket_away_means_redis(beside):
    beside.local_error = "Connection refused"
    publish_realtime("e", {"n": 1})
    assert len(beside.envelopes) == 1
    assert {name for name, count in get_counters().items() if count} == {"to_redis"}


def test_local_socket_of_another_user_means_redis_and_a_line(beside, complaints):
    beside.local_error = PermissionError("/s: another user's process listens there")
    for _ in range(3):
        publish_realtime("e", {"n": 1})
    assert len(beside.envelopes) == 3
    counted = {name: count for name, count in get_counters().items() if count}
    assert counted == {"to_redis": 3, "local_not_trusted": 3}
    assert complaints() == [
        "the local socket is not used: /s: another user's process listens there"
    ]


@pytest.mark.parametrize(
    ("way", "here", "went"),
    [
        ("auto", True, "to_thread"),
        ("auto", False, "to_local"),
        ("local", True, "to_thread"),
        ("local", False, "to_local"),
        ("redis", True, "to_redis"),
        ("redis", False, "to_redis"),
    ],
)
def test_way(beside, way, here, went):
    beside.here = here
    beside.values["frappe_rt_publish"] = way
    publish_realtime("e")
    assert {name for name, count in get_counters().items() if count} == {went}


def test_local_alone_never_falls_to_redis(elsewhere, complaints):
    elsewhere.values["frappe_rt_publish"] = "local"
    publish_realtime("e")
    elsewhere.local_socket = "/s"
    elsewhere.local_error = "/s: Connection refused"
    config.give(config.Given(site="one.localhost"))
    publish_realtime("e")
    assert elsewhere.envelopes == []
    assert get_counters()["lost_local_away"] == 2
    assert complaints() == ["not published, event 'e': no bench was found (1 lost so far)"]


def test_thread_here_works_with_a_configuration_broken_meanwhile(rt):
    rt.config_error = ValueError("broken")
    publish_realtime("e")
    assert get_counters()["to_thread"] == 1


def test_broken_configuration(elsewhere, complaints):
    elsewhere.config_error = ValueError("common_site_config.json, line 3: no comma")
    publish_realtime("e")
    assert get_counters()["lost_bad_config"] == 1
    assert complaints() == [
        "not published, common_site_config.json, line 3: no comma (1 lost so far)"
    ]


def test_child_counts_for_itself(rt):
    publish_realtime("e")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        publish_realtime("e")
        publish_realtime("e")
        os.write(writing, str(get_counters()["to_thread"]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 10) == b"2"
    os.close(reading)
    assert get_counters()["to_thread"] == 1


def test_broken_configuration_without_site_is_one_loss(elsewhere):
    config.give(config.Given())
    elsewhere.config_error = ValueError("broken")
    publish_realtime("e")
    assert {name for name, count in get_counters().items() if count} == {"lost_bad_config"}
