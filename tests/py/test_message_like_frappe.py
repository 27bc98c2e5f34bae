"""Random messages through our encoder and a model of Frappe's: the browser gets the same values."""

import json
import random
import re
import uuid
from collections import OrderedDict, deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import ClassVar

import pytest
from support.frappe_json import Document, encode, handle

from frappe_rt.publishing import message

MESSAGES = 3000


class FrappeDict(dict):
    """As frappe._dict: attributes are keys."""

    __getattr__ = dict.get


class FirstOfMany(dict):
    """As werkzeug's MultiDict: holds lists, and shows the first of each."""

    def items(self):
        return [(key, values[0]) for key, values in super().items()]


class Text(str):
    """As markupsafe's Markup."""

    def __str__(self):
        return "not what it holds"


class Number(int):
    def __int__(self):
        return -1


class Ratio(float):
    def __float__(self):
        return -1.0

    def __str__(self):
        return "not what it holds"


Point = namedtuple("Point", "x y")

# ---- the model -----------------------------------------------------------------------------------


def encode_as_frappe(make):
    """Indented, keys in order unless they cannot be compared.

    Each try has a message of its own. Frappe's second meets generators that were read by the first,
    an accident that is not ours to repeat.
    """
    try:
        return encode(make())
    except TypeError:
        return encode(make(), sort_keys=False)


def read_as_browser(text):
    """Numbers are doubles, of two equal keys the last one counts, NaN came through as null."""
    value = json.loads(text, parse_int=float, parse_constant=lambda _: None)
    return json.dumps(value, sort_keys=True)


# ---- random messages -----------------------------------------------------------------------------

PIECES = ["", "a", "ä", "😀", "\n", "\x00", "\x1e", "\u2028", "NaN", '"', "\\", "</script>"]


class Maker:
    """The same message each time for the same seed: some can be read only once."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self, depth=4):
        makers = self.CONTAINERS + self.SCALARS if depth else self.SCALARS
        return self.random.choice(makers)(self, depth - 1)

    def text(self, _=0):
        return "".join(self.random.choices(PIECES, k=self.random.randrange(4)))

    def broken_text(self, _):
        return self.text() + "\ud800"

    def integer(self, _=0):
        return self.random.choice([-1, 1]) * (
            1 << self.random.randrange(80)
        ) + self.random.randrange(3)

    def real(self, _=0):
        return self.random.choice([0.1, -0.0, 1e300, 5e-324, 1e16, 123456789.125, float("nan"),
                                   float("inf"), float("-inf")])  # fmt: skip

    def moment(self, _):
        zone = self.random.choice([None, timezone.utc, timezone(timedelta(hours=5, minutes=30))])
        moment = datetime(2024, 2, 29, 23, 59, self.random.randrange(60), tzinfo=zone)
        return self.random.choice(
            [moment, moment.date(), moment.timetz(), moment.replace(microsecond=7)]
        )

    def duration(self, _):
        unit = self.random.choice([1, 10**3, 10**6, 60 * 10**6])
        return timedelta(microseconds=self.random.randrange(-(10**6), 10**6) * unit)

    def key(self):
        makers = [self.text] * 6 + [self.integer, self.real, lambda: None, lambda: True]
        key = self.random.choice(makers)()
        return Text(key) if self.random.random() < 0.1 and isinstance(key, str) else key

    def pairs(self, depth):
        texts_only = self.random.random() < 0.7
        for _ in range(self.random.randrange(4)):
            yield self.text() if texts_only else self.key(), self.make(depth)

    def items(self, depth):
        return [self.make(depth) for _ in range(self.random.randrange(4))]

    SCALARS: ClassVar = [
        text, text, integer, real, moment, duration, broken_text,
        lambda self, _: None,
        lambda self, _: self.random.random() < 0.5,
        lambda self, _: self.random.randrange(1000),
        lambda self, _: Decimal(self.random.randrange(10**6)) / 100,
        lambda self, _: Decimal("NaN"),
        lambda self, _: uuid.UUID(int=self.random.getrandbits(128)),
        lambda self, _: PurePosixPath("/a") / str(self.random.randrange(9)),
        lambda self, _: self.random.choice([b"", b"\xff\x00", bytearray(b"ab"), memoryview(b"c")]),
        lambda self, _: Text(self.text()),
        lambda self, _: Number(self.integer()),
        lambda self, _: Ratio(self.real()),
        lambda self, _: re.match(".*", "some text"),
        lambda self, _: self.random.choice([ValueError("no"), len, int, Document]),
    ]  # fmt: skip
    CONTAINERS: ClassVar = [
        lambda self, depth: dict(self.pairs(depth)),
        lambda self, depth: dict(self.pairs(depth)),
        items,
        items,
        lambda self, depth: tuple(self.items(depth)),
        lambda self, depth: Point(self.make(depth), self.make(depth)),
        lambda self, depth: FrappeDict(self.pairs(depth)),
        lambda self, depth: OrderedDict(self.pairs(depth)),
        lambda self, depth: FirstOfMany((self.text(), [self.make(depth), 0]) for _ in range(2)),
        lambda self, depth: deque(self.items(depth)),
        lambda self, depth: {self.integer() for _ in range(3)},
        lambda self, depth: (item for item in self.items(depth)),
        lambda self, depth: dict(self.pairs(depth)).values(),
        lambda self, depth: MappingProxyType(dict(self.pairs(depth))),
        lambda self, depth: Document(dict(self.pairs(depth))),
    ]  # fmt: skip


@pytest.mark.parametrize("encoder", ["orjson", "json"])
@pytest.mark.parametrize("within", ["plain", "frappe"])
def test_same_values(monkeypatch, encoder, within):
    if encoder == "json":
        monkeypatch.setattr(message, "orjson", None)
    else:
        pytest.importorskip("orjson")
    if within == "frappe":
        monkeypatch.setattr(message.frappe_local, "get_json_handler", lambda: handle)
    for seed in range(MESSAGES):
        expected = encode_as_frappe(lambda seed=seed: Maker(seed).make())
        got = message.encode(Maker(seed).make())
        assert read_as_browser(got) == read_as_browser(expected), f"seed {seed}"


def test_messages_hold_everything():
    """Else the comparison above would say less than it seems to."""
    seen = set()

    def note(value):
        seen.add(type(value))
        return handle(value)

    for seed in range(MESSAGES):
        json.dumps(Maker(seed).make(), default=note)
    assert seen >= {
        datetime, date, time, timedelta, Decimal, uuid.UUID, bytes, bytearray, set, deque,
        MappingProxyType, Document, re.Match, ValueError, type, PurePosixPath,
    }  # fmt: skip
