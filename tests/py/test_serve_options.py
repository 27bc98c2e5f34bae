"""`serve` reads plain options itself, to the same result as Click."""

import itertools

import pytest
from click.testing import CliRunner

from frappe_rt import serve_options, serving
from frappe_rt.cli.serve import serve


def read_by_click(arguments, monkeypatch):
    """The order, or None where Click refuses."""
    got = []
    monkeypatch.setattr(serving, "become", got.append)
    CliRunner().invoke(serve, arguments)
    return got[0] if got else None


def read_quickly(arguments):
    given = serve_options.read(arguments)
    return None if given is None else serving.make_order(**given)


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
    quick = read_quickly(arguments)
    assert quick is not None
    assert quick == read_by_click(arguments, monkeypatch)


@pytest.mark.parametrize(("one", "other"), itertools.combinations(GOOD, 2))
def test_so_are_two_at_once(one, other, monkeypatch):
    assert read_quickly(one + other) == read_by_click(one + other, monkeypatch) is not None


@pytest.mark.parametrize("arguments", STRANGE, ids=" ".join)
def test_what_is_not_plainly_right_is_for_click(arguments):
    assert serve_options.read(["--port", "1", *arguments]) is None


def test_no_option_is_unknown_to_either():
    known = {name for option in serve.params for name in (*option.opts, *option.secondary_opts)}
    assert known == {*serve_options.VALUES, *serve_options.FLAGS}


def test_every_parameter_is_one_of_the_order():
    by_click = {option.name for option in serve.params}
    assert by_click == {
        name for name, _ in (*serve_options.VALUES.values(), *serve_options.FLAGS.values())
    }
    assert serve_options.read(["--die-with-parent"]) == {"die_with_parent": True}
