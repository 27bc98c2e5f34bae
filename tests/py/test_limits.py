"""Holds docs/limits.md to the headers: every limit is there, and every counter it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/limits.md").read_text()
#: Title of each section -> headers of its limits, and the one of its counters.
SECTIONS = {
    "Connections": (["net/front.h", "wire/http.h"], "net/front.h"),
    "Engine.IO": (["engineio/engineio.h"], "engineio/engineio.h"),
    "Local socket": (["net/local.h"], "net/local.h"),
    "Socket.IO": (["socketio/socketio.h"], "socketio/socketio.h"),
}


def read_header(name):
    return (ROOT / "csrc" / name).read_text()


def get_section(title):
    return re.search(rf"^## {re.escape(title)} .*?(?=^## |\Z)", TEXT, re.M | re.S)[0]


def get_counters(section):
    """What the last column of the table names, but for why sessions ended."""
    rows = re.findall(r"^\| (?!limit|-).*\| ([^|]+) \|$", section, re.M)
    return [name for row in rows if "closed` /" not in row for name in re.findall(r"`(\w+)`", row)]


@pytest.mark.parametrize("title", SECTIONS)
def test_every_limit_is_listed(title):
    headers, _ = SECTIONS[title]
    section = get_section(title)
    for header in headers:
        limits = re.findall(
            r"#define (RT_\w+_(?:MAX|MAX_PAYLOAD|TIMEOUT_MS)) ", read_header(header)
        )
        assert limits
        assert [name for name in limits if f"`{name}`" not in section] == []


@pytest.mark.parametrize("title", SECTIONS)
def test_every_counter_exists(title):
    counters = get_counters(get_section(title))
    assert len(counters) >= 5
    known = re.findall(r'X\(RT_\w+, "(\w+)",', read_header(SECTIONS[title][1]))
    assert [name for name in counters if name not in known] == []
