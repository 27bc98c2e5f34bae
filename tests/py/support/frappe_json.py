"""A model of the encoder that Frappe publishes with."""

import json
import re
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath


class Document:
    def __init__(self, values):
        self.values = values

    def as_dict(self):
        return dict(self.values)


def write_duration(value):
    microseconds = value // timedelta(microseconds=1)
    hours, rest = divmod(microseconds, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    text = repr(rest / 1_000_000) if fraction else f"{seconds:02}"
    return f"{hours}:{minutes:02}:{text}"


#: What Frappe's encoder does with types that JSON does not know: the first that fits.
HANDLERS = [
    ((date, datetime, time), str),
    (timedelta, write_duration),
    (Decimal, float),
    (Document, Document.as_dict),
    (Iterable, list),
    (re.Match, lambda match: match.string),
    ((type, Exception, Callable), repr),
    ((uuid.UUID, PurePath), str),
]


def handle(value):
    for kinds, write in HANDLERS:
        if isinstance(value, kinds):
            return write(value)
    raise TypeError(type(value))


def encode(value, sort_keys=True):
    return json.dumps(value, indent=1, sort_keys=sort_keys, default=handle, separators=(",", ": "))
