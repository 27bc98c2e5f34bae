"""What no publisher should send: delivered right, or refused with one line; no broken envelope."""

import pytest

from frappe_rt import config
from frappe_rt.publishing import message
from frappe_rt.publishing.deliver import get_counters
from frappe_rt.publishing.publish import publish_realtime

SITE = "one.localhost"
MEGABYTES = 5
LARGE = {"text": "ä\n\x1e" * (MEGABYTES << 20 >> 2), "rows": [{"n": n} for n in range(1000)]}
DEPTH = 100_000
COLLIDING = {
    1: "first",
    "1": "second",
    None: "first",
    "null": "second",
    2.5: "first",
    "2.5": "second",
}


def nest(empty, put):
    value = empty
    for _ in range(DEPTH):
        value = put(value)
    return value


NESTED = [
    pytest.param(lambda: nest([], lambda inner: [inner]), id="lists"),
    pytest.param(lambda: nest({}, lambda inner: {"k": inner}), id="dicts"),
    pytest.param(lambda: nest((), lambda inner: (inner,)), id="tuples"),
    pytest.param(lambda: nest({}, lambda inner: {1: [inner]}), id="keys that are numbers"),
]


@pytest.fixture(params=["orjson", "json"], autouse=True)
def encoder(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setattr(message, "orjson", None)
    else:
        pytest.importorskip("orjson")


@pytest.fixture(params=["thread", "redis"])
def sent(request, rt, monkeypatch):
    """What has left so far: (site, room, event, message)."""
    rt.here = request.param == "thread"
    hand_over = rt.publish

    def take(site, room, event, encoded):
        assert not any(byte < 0x20 for byte in encoded)  # one line, as the local socket wants it
        return hand_over(site, room, event, encoded)

    def redis_publish(url, *event):
        rt.here = True
        try:
            take(*event)
        finally:
            rt.here = False

    monkeypatch.setattr(rt, "publish", take)
    monkeypatch.setattr(rt, "redis_publish", redis_publish)
    return rt.published


def test_large_message(sent, complaints):
    publish_realtime("e", LARGE, room="r")
    assert sent == [(SITE, "r", "e", LARGE)]
    assert complaints() == []


@pytest.mark.parametrize("make", NESTED)
def test_deep_message(sent, complaints, make):
    publish_realtime("e", make(), room="r")
    publish_realtime("e", make(), room="r")
    publish_realtime("after", {}, room="r")
    assert sent == [(SITE, "r", "after", {})]
    assert get_counters()["lost_bad_message"] == 2
    assert complaints() == [
        "not published, event 'e' for room 'r': nested too deeply (1 lost so far)"
    ]


@pytest.mark.parametrize("make", NESTED[:2])
def test_deep_messages_that_wait_for_a_commit(sent, frappe, complaints, make):
    """Comparing two of them is too deep as well."""
    for _ in range(2):
        publish_realtime("e", make(), room="r", after_commit=True)
    publish_realtime("after", {}, room="r", after_commit=True)
    frappe.db.after_commit.run()
    assert sent == [(SITE, "r", "after", {})]
    assert get_counters()["lost_bad_message"] == 2
    assert len(complaints()) == 1


def test_keys_that_collide(sent, complaints):
    """In a browser the last of equal names counts; that is valid JSON."""
    publish_realtime("e", COLLIDING, room="r")
    assert sent == [(SITE, "r", "e", {"1": "second", "null": "second", "2.5": "second"})]
    assert complaints() == []


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_surrogates_in_the_message_are_what_a_browser_has(sent, complaints, text):
    publish_realtime("e", {"text": text, text: [text]}, room="r")
    assert sent == [(SITE, "r", "e", {"text": text, text: [text]})]
    assert complaints() == []


@pytest.mark.parametrize("place", ["event", "room", "user", "doctype", "task_id", "site"])
def test_surrogates_in_a_name_are_refused(sent, rt, complaints, place):
    call = {"event": "e", "docname": "n", place: "a\ud800"}
    publish_realtime(**call)
    publish_realtime(**call)
    assert sent == []
    assert get_counters()["lost_bad_message"] == 2
    assert len(complaints()) == 1


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\n\r\nb", '"}\n{"event":"x"', "\x00", "\x1e", "\u2028"]
)
@pytest.mark.parametrize("place", ["event", "room", "site"])
def test_control_characters_in_a_name(sent, complaints, text, place):
    call = {"event": "e", "room": "r", "site": SITE, place: text}
    publish_realtime(**call)
    assert sent == [(call["site"], call["room"], call["event"], {})]
    assert complaints() == []


def test_cycles(sent, complaints):
    cycle = {"n": 1}
    cycle["self"] = [cycle]
    publish_realtime("e", cycle, room="r")
    assert sent == []
    assert complaints() == [
        "not published, event 'e' for room 'r': Circular reference detected (1 lost so far)"
    ]


def test_keys_that_are_no_text(sent, complaints):
    publish_realtime("e", {(1, 2): "x"}, room="r")
    assert sent == []
    assert len(complaints()) == 1


def test_large_message_through_redis(redis):
    config.give(config.Given("", SITE, {"redis_queue": redis.url}))
    try:
        with redis.subscribe("events") as events:
            publish_realtime("e\n", LARGE, room="r\n")
            assert events.read() == {
                "event": "e\n", "message": LARGE, "room": "r\n", "namespace": SITE,
            }  # fmt: skip
    finally:
        config.give(config.Given())
