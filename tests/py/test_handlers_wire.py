"""Lines as a host reads and writes them."""

import base64
import math

import pytest

from frappe_rt.handlers import wire


@pytest.fixture(params=["orjson", "json"], autouse=True)
def encoder(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setattr(wire, "orjson", None)
    elif wire.orjson is None:
        pytest.skip("orjson is not installed")


@pytest.mark.parametrize(
    "text, value",
    [
        (b'{"a":[1,"\\u00e4"]}', {"a": [1, "ä"]}),
        (b'"\\ud83d"', "\ud83d"),
        (b"1" * 5000, math.inf),
        (b"-1e999", -math.inf),
    ],
)
def test_what_is_read(text, value):
    assert wire.loads(text) == value


def test_what_is_no_line():
    with pytest.raises(ValueError):
        wire.loads(b"{")


HALF = "\ud83d"


@pytest.mark.parametrize("value", [HALF, [HALF], ["fine", ["a", HALF]]])
def test_half_a_pair_is_not_written(value):
    with pytest.raises(ValueError):
        wire.dumps(value)


def test_a_backslash_is_no_half_of_a_pair():
    assert wire.dumps(["\\ud83d", 7]) == b'["\\\\ud83d",7]'


@pytest.mark.parametrize(
    "data, arguments, back",
    [
        (None, [], None),
        ((), [], None),
        (0, [0], 0),
        ([], [[]], []),
        (("one",), ["one"], "one"),
        (("one", 2), ["one", 2], ("one", 2)),
    ],
)
def test_what_one_call_sends(data, arguments, back):
    assert wire.to_arguments(data) == arguments
    assert wire.from_arguments(arguments) == back


def test_bytes_find_their_places():
    line = wire.loads(b"{" + wire.encode_arguments([b"one", {"two": [b"two", 3]}]) + b"}")
    assert [base64.b64decode(text) for text in line["b"]] == [b"one", b"two"]
    assert wire.decode_arguments(line) == [b"one", {"two": [b"two", 3]}]


@pytest.mark.parametrize("number", [1, -1, True, 0.0, None, "0"])
def test_places_of_no_bytes_stay_as_they_are(number):
    """A client may send anything."""
    place = {"_placeholder": True, "num": number}
    mark = {"_placeholder": 1, "num": 0}
    assert wire.decode_arguments({"a": [place, mark], "b": ["b25l"]}) == [place, mark]


def test_no_arguments():
    assert wire.encode_arguments([]) == b'"a":[]'
    assert wire.decode_arguments({}) == []
    assert wire.decode_arguments({"b": ["b25l"]}) == []
