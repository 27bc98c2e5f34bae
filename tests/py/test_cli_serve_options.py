"""`serve` reads plain options itself, to the same result as Click."""

import itertools

import pytest
from click.testing import CliRunner

from frappe_rt.cli.serve import serve
from frappe_rt.cli.serving import options, run


def read_by_click(arguments, monkeypatch):
    """The order, or None where Click refuses."""
    got = []
    monkeypatch.setattr(run, "become", got.append)
    CliRunner().invoke(serve, arguments)
    return got[0] if got else None


GOOD = [
    [],
    ["--bench", "bench"],
    ["--bench=bench/../bench"],
    ["--port", "0"],
    ["--port=65535", "--port", "9000"],
    ["--uds", "rt.sock"],
    ["--host", "::1", "--port", "1"],
    ["--redis"],
    ["--redis", "--no-redis"],
    ["--die-with-parent"],
    ["--log-level", "debug"],
    ["--log-file", "new.log"],
    ["--log-file", "old.log"],
]
STRANGE = [
    ["--help"],
    ["--prot", "1"],
    ["extra"],
    ["--"],
    ["--port"],
    ["--port", "x"],
    ["--port", "65536"],
    ["--port", "-1"],
    ["--port", "\u0661"],
    ["--port", ""],
    ["--host", "-x"],
    ["--redis=yes"],
    ["--bench", "missing"],
    ["--bench", "old.log"],
    ["--log-level", "loud"],
    ["--log-file", "bench"],
]


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    (tmp_path / "old.log").write_text("")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("arguments", GOOD, ids=" ".join)
def test_plain_options_are_read_as_click_reads_them(arguments, monkeypatch):
    quick = options.read(arguments)
    assert quick is not None
    assert quick == read_by_click(arguments, monkeypatch)


@pytest.mark.parametrize(("one", "other"), itertools.combinations(GOOD, 2))
def test_so_are_two_at_once(one, other, monkeypatch):
    assert options.read(one + other) == read_by_click(one + other, monkeypatch) is not None


@pytest.mark.parametrize("arguments", STRANGE, ids=" ".join)
def test_what_is_not_plainly_right_is_for_click(arguments):
    assert options.read(["--port", "1", *arguments]) is None


#: A value of each kind that differs from every default.
VALUE = {
    options.FOLDER: "bench",
    options.PORT: "1",
    options.TEXT: "text",
    options.LEVEL: "debug",
    options.FILE: "new.log",
}


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.name)
def test_each_option_of_the_table_counts_and_is_explained(option):
    words = [option.name, VALUE[option.kind]] if option.kind in VALUE else [option.name]
    assert options.read(words) != options.read([])
    if option.kind == options.SWITCH:
        assert options.read([option.opposite]) not in (options.read([]), options.read(words))
    shown = " ".join(CliRunner().invoke(serve, ["--help"]).output.split())
    assert option.name in shown
    assert option.help in shown
