"""Which function takes which event, and which apps have any."""

import pytest

from frappe_rt.handlers.registry import CORE_APP, Registry, is_async_callable
from frappe_rt.hosts import apps


@pytest.fixture
def realtime():
    return Registry()


class AsyncObject:
    async def __call__(self, socket):
        pass


async def async_function(socket):
    pass


def plain_function(socket):
    pass


def test_function_is_returned_unchanged(realtime):
    assert realtime.on("e")(plain_function) is plain_function
    (handler,) = realtime.handlers_for("e")
    assert handler.fn is plain_function
    assert (handler.frappe_context, handler.allow_guest, handler.app) == (False, False, CORE_APP)


@pytest.mark.parametrize(
    ("function", "is_async"),
    [
        (async_function, True),
        (AsyncObject(), True),
        (plain_function, False),
        (lambda socket: None, False),
    ],
)
def test_what_is_async(function, is_async, realtime):
    assert is_async_callable(function) is is_async
    realtime.on("e")(function)
    assert realtime.handlers_for("e")[0].is_async is is_async


@pytest.mark.parametrize("function", [async_function, AsyncObject()])
def test_context_needs_a_plain_function(realtime, function):
    with pytest.raises(TypeError, match="frappe_context"):
        realtime.on("e", frappe_context=True)(function)
    assert realtime.events() == []


def test_plain_functions_may_have_a_context(realtime):
    realtime.on("e", frappe_context=True)(plain_function)
    realtime.on("e")(plain_function)
    assert [handler.frappe_context for handler in realtime.handlers_for("e")] == [True, False]


def test_decorator_without_an_event(realtime):
    with pytest.raises(TypeError, match=r'name of the event: @realtime\.on\("plain_function"\)'):
        realtime.on(plain_function)
    with pytest.raises(TypeError, match="is a str, not 1"):
        realtime.on(1)


def test_handlers_belong_to_the_app_that_is_imported(realtime):
    with realtime.importing_app("crm"):
        realtime.on("e")(plain_function)
        with realtime.importing_app("hr"):
            realtime.on("e")(plain_function)
        realtime.on("f", allow_guest=True)(plain_function)
    assert [handler.app for handler in realtime.handlers_for("e")] == ["crm", "hr"]
    assert realtime.handlers_for("f")[0].app == "crm"
    assert realtime.events() == ["e", "f"]


def test_nothing_stays_of_an_app_that_fails(realtime):
    with realtime.importing_app("crm"):
        realtime.on("e")(plain_function)
    with pytest.raises(SystemExit), realtime.importing_app("bad"):
        realtime.on("e")(plain_function)
        realtime.on("only_bad")(plain_function)
        raise SystemExit
    assert [handler.app for handler in realtime.handlers_for("e")] == ["crm"]
    assert realtime.events() == ["e"]


def test_late_events_are_told_once(realtime):
    told = []
    realtime.on("early")(plain_function)
    realtime.on_new_event = told.append
    for event in ("early", "late", "late"):
        realtime.on(event)(plain_function)
    assert told == ["late"]


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "sites").mkdir()
    return tmp_path


def add(bench, app, *files):
    with (bench / "sites/apps.txt").open("a") as text:
        text.write(f"{app}\n")
    for file in files:
        path = bench / "apps" / app / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return bench / "apps" / app


def test_apps_without_handlers(bench):
    assert apps.get_apps(str(bench)) == []
    add(bench, "frappe", "frappe/realtime/handlers.py", "realtime/handlers.js")
    add(bench, "plain")
    assert apps.get_apps(str(bench)) == ["plain"]
    assert apps.find_handlers(str(bench)) == {}


def test_apps_are_listed_once_and_notes_are_none(bench):
    (bench / "sites/apps.txt").write_text("frappe\n\n# hr\n  crm \nplain\ncrm\n")
    assert apps.get_apps(str(bench)) == ["crm", "plain"]


def test_python_stands_before_javascript(bench):
    both = add(bench, "both", "both/realtime/handlers.py", "realtime/handlers.js")
    only = add(bench, "only", "realtime/handlers.js")
    package = add(bench, "package", "package/realtime/handlers/__init__.py")
    assert apps.find_handlers(str(bench)) == {
        "python": {
            "both": both / "both/realtime/handlers.py",
            "package": package / "package/realtime/handlers/__init__.py",
        },
        "node": {"only": only / "realtime/handlers.js"},
    }


def test_stamp_changes_with_a_file_and_its_neighbours(bench):
    file = add(bench, "crm", "crm/realtime/handlers.py") / "crm/realtime/handlers.py"
    before = apps.stamp({"crm": file})
    (file.parent / "notes.txt").touch()
    assert apps.stamp({"crm": file}) == before
    (file.parent / "rooms.py").write_text("ROOM = 1")
    between = apps.stamp({"crm": file})
    assert between != before
    (file.parent / ".#rooms.py").symlink_to("an editor's mark, which is no file")
    assert apps.stamp({"crm": file}) == between
    file.write_text("# changed")
    assert apps.stamp({"crm": file}) != between


def test_an_app_that_cannot_be_looked_at_is_without_handlers(bench):
    file = add(bench, "crm", "crm/realtime/handlers.py") / "crm/realtime/handlers.py"
    with (bench / "sites/apps.txt").open("a") as listed:
        listed.write("x" * 300)  # no folder can have that name
    assert apps.find_handlers(str(bench)) == {"python": {"crm": file}}


def test_stamp_of_files_that_go_meanwhile(bench, monkeypatch):
    """A checkout of another branch, say."""
    file = add(bench, "crm", "crm/realtime/handlers.py") / "crm/realtime/handlers.py"

    def find_none(*_):
        raise FileNotFoundError

    monkeypatch.setattr(type(file), "glob", find_none)
    assert apps.stamp({"crm": file}) == {}
