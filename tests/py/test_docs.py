"""What the documents point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED_TEST = re.compile(r"`(\w+/test_\w+\.c): (\w+)`")


def named_tests(text):
    return NAMED_TEST.findall(text)


def test_each_named_c_test_exists():
    found = named_tests((ROOT / "docs/protocol.md").read_text())
    assert len(found) > 60
    missing = [
        f"{file}: {name}"
        for file, name in found
        if not re.search(rf"\b{name}\b", read_or_empty(ROOT / "tests/c" / file))
    ]
    assert missing == []


def read_or_empty(path):
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "//" not in target:
            assert (page.parent / target).exists(), target
