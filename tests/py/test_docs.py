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


def read_section(page, title):
    text = (ROOT / "docs" / page).read_text()
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def get_table_rows(text):
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def find_code(text):
    return re.findall(r"`([^`]+)`", text)


def get_javascript_api():
    """What is documented -> how an app's code shows that it is used."""
    uses = {}
    for what, meaning in get_table_rows(
        read_section("handlers-javascript.md", "What `socket` has")
    ):
        members, _, events = what.partition("; events ")
        names = [re.sub(r"\(.*", "", code) for code in find_code(members)]
        if names[:1] == ["nsp"]:
            uses |= {f"nsp.{name}": rf"\.nsp\b[^;]{{0,60}}\.{name}\b" for name in names[1:]}
        else:
            uses |= {name: rf"\.{re.escape(name)}\b" for name in names}
        uses |= {f"event {event}": rf'\("{event}"' for event in find_code(events)}
        if "`opts` are fetch's" in meaning:
            uses |= {option: rf"\b{option}:" for option in find_code(meaning.split("fetch's")[1])}
    return uses


def get_python_api():
    """The same; parameters with their ``=``."""
    uses = {f"event {event}": rf'\("{event}"' for event in ("connect", "disconnect")}
    text = (ROOT / "docs/handlers-python.md").read_text().split("\n## ")[0]
    for option, *_ in get_table_rows(text)[2:]:
        uses[option] = re.escape(option.strip("`"))
    for what, _ in get_table_rows(read_section("handlers-python.md", "Socket")):
        for code in find_code(what):
            name = re.sub(r"\(.*", "", code.removeprefix("await "))
            uses[name] = rf"\.{name}\b"
            uses |= {f"{name}({given}=": f"{given}=" for given in re.findall(r"(\w+)=", code)}
    # Those that stand in their places, without a name.
    return {name: use for name, use in uses.items() if name not in POSITIONAL}


POSITIONAL = {"emit(data=", "call(data=", "has_permission(name=", "get(default="}


@pytest.mark.parametrize(
    "get_api, files, at_least",
    [
        (get_javascript_api, "*/realtime/handlers.js", 51),
        (get_python_api, "*/*/realtime/handlers.py", 22),
    ],
    ids=["JavaScript", "Python"],
)
def test_sample_apps_use_all_that_is_documented(get_api, files, at_least):
    """What becomes of it is compared with Node's server in tests/client/handlers.test.mjs."""
    apps = "\n".join(path.read_text() for path in ROOT.glob(f"tests/apps/{files}"))
    code = re.sub(r"//.*|#.*", "", apps)
    api = get_api()
    assert len(api) >= at_least, sorted(api)
    assert [name for name, use in api.items() if not re.search(use, code)] == []
