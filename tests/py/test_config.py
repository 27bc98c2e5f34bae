"""Which bench, and what its configuration says."""

import json
import os

import pytest

from frappe_rt import config


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("FRAPPE_BENCH_ROOT", "FRAPPE_SOCKETIO_PORT", "FRAPPE_REDIS_QUEUE", "FRAPPE_SITE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bench(tmp_path):
    for folder in ("sites/one.localhost", "apps"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def write_common(bench, **values):
    (bench / "sites/common_site_config.json").write_text(json.dumps(values))


@pytest.mark.parametrize("folder", ["", "sites", "sites/one.localhost", "apps"])
def test_bench_is_found_from_inside(bench, monkeypatch, folder):
    monkeypatch.chdir(bench / folder)
    assert config.find_bench() == str(bench)
    assert config.find_bench(bench / folder) == str(bench)


@pytest.mark.parametrize("missing", ["sites", "apps"])
def test_half_a_bench_is_none(tmp_path, monkeypatch, missing):
    (tmp_path / ({"sites", "apps"} - {missing}).pop()).mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.find_bench() is None


def test_environment_names_the_bench(bench, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(bench)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("FRAPPE_BENCH_ROOT", str(elsewhere))
    assert config.find_bench() == str(elsewhere)


def test_removed_working_directory(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert config.find_bench() is None


def test_working_directory_of_somebody_else(tmp_path, monkeypatch):
    """As after ``sudo -u frappe`` in root's home."""
    monkeypatch.chdir(tmp_path)
    root = os.geteuid() == 0
    tmp_path.chmod(0o000)
    if root:
        os.seteuid(65534)
    try:
        assert config.find_bench() is None
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_defaults(tmp_path):
    found = config.load("")
    assert found.bench is None
    assert found["socketio_port"] == 9000
    assert found["frappe_rt_redis"] is True
    assert found.sources["socketio_port"]["from"] == "default"


def test_order_of_sources(bench, monkeypatch):
    (bench / "config.json").write_text(
        '{"socketio_port": 1, "webserver_port": 1, "default_site": "a"}'
    )
    write_common(bench, socketio_port=2, webserver_port=2, redis_queue="redis://h:2")
    monkeypatch.setenv("FRAPPE_SOCKETIO_PORT", "3")
    found = config.load(str(bench), redis_queue="redis://h:4")
    assert {key: (found[key], found.sources[key]["from"]) for key in (
        "default_site", "webserver_port", "socketio_port", "redis_queue"
    )} == {
        "default_site": ("a", "config.json"),
        "webserver_port": (2, "common_site_config.json"),
        "socketio_port": (3, "environment"),
        "redis_queue": ("redis://h:4", "caller"),
    }  # fmt: skip


def test_caller_may_switch_off_what_files_switch_on(bench):
    write_common(bench, socketio_uds="/tmp/rt.sock", frappe_rt_redis=1)
    found = config.load(str(bench), socketio_uds="", frappe_rt_redis=False, socketio_port=0)
    assert found["socketio_uds"] == ""
    assert found["frappe_rt_redis"] is False
    assert found["socketio_port"] == 0


def test_what_is_not_given_does_not_count(bench):
    write_common(bench, socketio_port=2)
    assert config.load(str(bench), socketio_port=None)["socketio_port"] == 2


def test_passwords_are_for_the_server_only(bench):
    write_common(bench, redis_queue="redis://user:hush@h:1")
    found = config.load(str(bench))
    assert found["redis_queue"] == "redis://user:hush@h:1"
    assert "hush" not in json.dumps(found.sources)
    assert "hush" not in repr(found.sources)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n "socketio_port": 9000\n "x": 1\n}', ["common_site_config.json", "line 3"]),
        ('{"socketio_port": "many"}', ["common_site_config.json", "socketio_port", "many"]),
        ('{"socketio_port": 70000}', ["common_site_config.json", "socketio_port", "65535"]),
        ("[]", ["common_site_config.json"]),
        ("", ["common_site_config.json"]),
    ],
)
def test_broken_file_says_where_and_why(bench, text, told):
    (bench / "sites/common_site_config.json").write_text(text)
    with pytest.raises(ValueError) as caught:
        config.load(str(bench))
    assert "\n" not in str(caught.value)
    for part in told:
        assert part in str(caught.value)


def test_wrong_override_is_named():
    with pytest.raises(ValueError, match="no_such_key"):
        config.load("", no_such_key=1)
    with pytest.raises(ValueError, match="socketio_port"):
        config.load("", socketio_port="many")
