"""The browser gets the values it would get from Frappe's encoder, with orjson and without."""

import json
import math
import sys
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Integral
from pathlib import PurePosixPath
from types import ModuleType

import pytest

from frappe_rt import _rt
from frappe_rt.publishing import message


class Kind(Enum):
    OPEN = "Open"


class Dict(dict):
    """As frappe._dict: attributes are keys."""

    __getattr__ = dict.get


class Document:
    def as_dict(self):
        return {"doctype": "ToDo", "on": date(2024, 2, 29)}


class Speaking:
    """As what Frappe's own types do since v16."""

    def __json__(self):
        return {"on": date(2024, 2, 29)}


class ArrayNumber:
    """As NumPy's: no int, but registered as one."""

    def __int__(self):
        return 7

    def __str__(self):
        return "7"


Integral.register(ArrayNumber)


class Lazy:
    """A translation that is looked up when it is read."""

    def __str__(self):
        return "Übersetzt"


class Proxy:
    """As werkzeug's: says that it is what it stands for. frappe.session is one."""

    def __init__(self, value):
        self.value = value

    __class__ = property(lambda self: type(self.value))

    def __getattr__(self, name):
        return getattr(self.value, name)

    def __iter__(self):
        return iter(self.value)

    def __str__(self):
        return str(self.value)


@pytest.fixture(params=["orjson", "json"])
def encode(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setattr(message, "orjson", None)
    else:
        pytest.importorskip("orjson")
    return message.encode


CASES = [
    ({}, {}),
    (None, None),
    ("ä\u2028\x1e\x00😀", "ä\u2028\x1e\x00😀"),
    ([1, (2, 3), True], [1, [2, 3], True]),
    (Dict(a=Dict(b=1)), {"a": {"b": 1}}),
    (datetime(2024, 2, 29, 12, 30, 1, 5), "2024-02-29 12:30:01.000005"),
    (datetime(2024, 2, 29, tzinfo=timezone.utc), "2024-02-29 00:00:00+00:00"),
    (date(2024, 2, 29), "2024-02-29"),
    (time(9, 5), "09:05:00"),
    (timedelta(hours=30, minutes=5, seconds=7), "30:05:07"),
    (timedelta(seconds=-90), "-1:58:30"),
    (timedelta(microseconds=1500), "0:00:0.0015"),
    (timedelta(days=-1, microseconds=250_000), "-24:00:0.25"),
    (Decimal("12.50"), 12.5),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (Kind.OPEN, "Open"),
    (b"ab", [97, 98]),
    (PurePosixPath("/a/b"), "/a/b"),
    (Document(), {"doctype": "ToDo", "on": "2024-02-29"}),
    (Lazy(), "Übersetzt"),
    (Proxy({"user": Proxy([1, date(2024, 2, 29)])}), {"user": [1, "2024-02-29"]}),
    (Proxy(date(2024, 2, 29)), "2024-02-29"),
    (Speaking(), {"on": "2024-02-29"}),
    (ArrayNumber(), 7),
    (Fraction(1, 4), 0.25),
    (ValueError("no"), "ValueError('no')"),
    (2**64, 2**64),
    (-(2**70), -(2**70)),
    ({1: "a", None: "b", 2.5: "c"}, {"1": "a", "null": "b", "2.5": "c"}),
    ("\ud800", "\ud800"),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_values(encode, value, expected):
    assert json.loads(encode({"v": value})) == {"v": expected}


def test_whatever_can_be_gone_through_is_a_list(encode):
    assert sorted(json.loads(encode({3, 1, 2}))) == [1, 2, 3]
    assert json.loads(encode(n for n in range(2))) == [0, 1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_null(encode, value):
    assert json.loads(encode({"v": [value, 1], 2**65: value})) == {"v": [None, 1], str(2**65): None}


def test_deep_nesting(encode):
    deep = []
    for _ in range(400):
        deep = [deep]
    assert encode(deep) == b"[" * 401 + b"]" * 401


def test_output_has_no_raw_control_character(encode):
    assert not any(byte < 0x20 for byte in encode({"a": "\x00\x1e\n\x1f"}))


@pytest.mark.parametrize("value", [object(), {"a": [object()]}])
def test_unknown_types(encode, value):
    with pytest.raises(TypeError, match="object cannot be sent to a browser"):
        encode(value)


def test_cycle(encode):
    cycle = {}
    cycle["self"] = cycle
    with pytest.raises(ValueError, match="Circular"):
        encode(cycle)


def test_endless_depth(encode):
    class Endless:
        def as_dict(self):
            return {"again": Endless()}

    with pytest.raises(ValueError, match="nested too deeply"):
        encode(Endless())


NAIVE = [
    datetime(2026, 1, 2, 3, 4, 5),
    datetime(2026, 1, 2, 3, 4, 5, 67),
    datetime.max,
    date.min,
    date(2026, 12, 31),
    time(0),
    time(23, 59, 59, 999999),
]


@pytest.mark.parametrize("value", NAIVE, ids=str)
def test_dates_need_no_line_of_python(value, monkeypatch):
    assert _rt.date_text(value) == str(value)
    monkeypatch.setattr(message, "_encode_slowly", None)
    assert json.loads(message.encode([value, {"at": value}])) == [str(value), {"at": str(value)}]


class OwnDate(date):
    def __str__(self):
        return "own"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 1, tzinfo=timezone.utc),
        time(1, tzinfo=timezone.utc),
        OwnDate(2026, 1, 1),
        timedelta(1),
        "2026-01-01",
        None,
        date,
        1.5,
    ],
    ids=repr,
)
def test_what_may_run_python_is_not_asked(value):
    with pytest.raises(TypeError, match="date_text takes a date, or a naive datetime or time"):
        _rt.date_text(value)


def test_dates_with_a_zone_or_of_another_class(encode):
    values = [datetime(2026, 1, 1, tzinfo=timezone.utc), OwnDate(2026, 1, 1)]
    assert json.loads(encode(values)) == ["2026-01-01 00:00:00+00:00", "own"]


@pytest.mark.parametrize("change", [list.clear, lambda rows: rows.extend(["more"] * 10_000)])
def test_who_is_asked_may_change_the_message(encode, change):
    """An encoder that trusted it to stay would read memory that has been given back."""

    class Changing:
        def as_dict(self):
            change(rows)
            return {"changed": True}

    rows = [Changing(), *(str(number) * 9 for number in range(100, 1100))]
    assert json.loads(encode(rows))[0] == {"changed": True}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_what_interrupts_is_not_hidden(encode, interruption):
    class Interrupted:
        def as_dict(self):
            raise interruption

    with pytest.raises(interruption):
        encode({"v": [Interrupted()]})


class TestFrappesHandler:
    @pytest.fixture(autouse=True)
    def response(self, frappe, monkeypatch):
        def json_handler(value):
            if isinstance(value, Lazy):
                return "from frappe"
            raise TypeError("unknown")

        module = ModuleType("frappe.utils.response")
        module.json_handler = json_handler
        monkeypatch.setitem(sys.modules, "frappe.utils", ModuleType("frappe.utils"))
        monkeypatch.setitem(sys.modules, "frappe.utils.response", module)

    def test_comes_first(self, encode):
        assert encode([Lazy()]) == b'["from frappe"]'

    def test_ours_knows_more(self, encode):
        assert encode([uuid.UUID(int=0), b"b", Decimal(1)]) == (
            b'["00000000-0000-0000-0000-000000000000",[98],1.0]'
        )


def test_frappe_without_its_handler(encode, frappe):
    assert encode(date(2024, 1, 2)) == b'"2024-01-02"'
