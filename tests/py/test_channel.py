"""What nobody should publish on the channel: skipped and counted, and all that is valid arrives."""

import json
import random

import pytest
from support.bench import SITE, get_figures, make_bench, start, wait_for
from support.crowd import Crowd
from support.stub_web import StubWeb

EVENTS = 10_000
GOOD = {"event": "n", "room": "user:ada@example.com", "namespace": SITE}


def write_good(n):
    return json.dumps(GOOD | {"message": n}, indent=1, sort_keys=True).encode()


def make_random_bytes(dice):
    return bytes(dice.randrange(256) for _ in range(dice.randrange(200)))


def make_truncated(dice):
    text = write_good(0)
    return text[: dice.randrange(len(text))]


def make_wrong_type(dice):
    wrong = dice.choice([7, True, [], {}, [["user:ada@example.com"]], 1e400])
    return json.dumps(GOOD | {"message": 0, dice.choice(["event", "room", "namespace"]): wrong})


def make_other_shape(dice):
    return dice.choice(["null", "[]", "7", '"text"', "NaN", "[" * 5000, "{}", '{"message":1}'])


#: Valid, but of rooms that nobody can be in.
def make_huge_room(dice):
    return json.dumps(GOOD | {"message": 0, "room": "r" * dice.choice([1025, 70_000])})


MALFORMED = [make_random_bytes, make_truncated, make_wrong_type, make_other_shape]


@pytest.fixture
def server(tmp_path, redis):
    bench = make_bench(tmp_path)
    with StubWeb(SITE) as web:
        more = {"frappe_rt_redis": True, "redis_queue": redis.url, "webserver_port": web.port}
        with start(bench, **more) as server:
            wait_for(lambda: get_figures()["redis_subscribed"])
            yield server


def publish_at_once(redis, texts):
    """In one write; returns when Redis has answered all."""
    words = [text if isinstance(text, bytes) else text.encode() for text in texts]
    pipeline = b"".join(
        b"*3\r\n$7\r\nPUBLISH\r\n$6\r\nevents\r\n$%d\r\n%s\r\n" % (len(word), word)
        for word in words
    )
    with redis.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall(pipeline)
        assert [answers.readline() for _ in words] == [b":1\r\n"] * len(words)


def get_counts():
    frappe = get_figures()["frappe"]
    return [frappe[f"envelopes{what}"] for what in ("_malformed", "_to_nobody", "")]


def test_ten_thousand_events_among_garbage(server, redis):
    dice = random.Random(1)
    texts, malformed, huge = [], 0, 0
    for n in range(EVENTS):
        texts.append(write_good(n))
        if dice.random() < 0.1:
            texts.append(dice.choice(MALFORMED)(dice))
            malformed += 1
        if dice.random() < 0.01:
            texts.append(make_huge_room(dice))
            huge += 1
    with Crowd() as crowd:
        [tab] = crowd.come(server.port)
        publish_at_once(redis, texts)
        wait_for(lambda: len(tab.heard) >= EVENTS or tab.closed)
        assert tab.heard == list(range(EVENTS))
        wait_for(lambda: get_figures()["redis"]["messages"] == len(texts))
        assert get_counts() == [malformed, huge, EVENTS + huge]
        assert not tab.closed


@pytest.mark.parametrize("make", MALFORMED)
def test_each_kind_is_counted(server, redis, make):
    """Else the sum above might hold by chance."""
    dice = random.Random(2)
    texts = [make(dice) for _ in range(100)]
    publish_at_once(redis, texts)
    wait_for(lambda: get_figures()["redis"]["messages"] == len(texts))
    assert get_counts() == [len(texts), 0, 0]
