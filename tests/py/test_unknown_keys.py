"""A key that nearly is one of ours: without effect, which is said and not kept silent."""

import json

import pytest

import frappe_rt
from frappe_rt import config, unknown_keys

NEAR = "is not a key of frappe_rt and has no effect; did you mean"
NONE_NEAR = (
    "is not a key of frappe_rt and has no effect; `python -m frappe_rt config` lists the keys"
)


@pytest.fixture
def bench(tmp_path):
    for folder in ("sites/one.localhost", "sites/assets", "apps"):
        (tmp_path / folder).mkdir(parents=True)
    yield tmp_path
    frappe_rt.stop()


def write(bench, name, **values):
    (bench / name).write_text(json.dumps(values))


def find(bench):
    return unknown_keys.find(config.load(str(bench)))


@pytest.mark.parametrize("name", ["config.json", "sites/common_site_config.json"])
def test_the_file_the_key_and_the_nearest_known_one(bench, name):
    write(bench, name, frappe_rt_cach_ms=1, frappe_rt_maxpayload=2, frappe_rt_xyz=3)
    assert find(bench) == [
        f"{name}: 'frappe_rt_cach_ms' {NEAR} frappe_rt_cache_ms?",
        f"{name}: 'frappe_rt_maxpayload' {NEAR} frappe_rt_max_payload?",
        f"{name}: 'frappe_rt_xyz' {NONE_NEAR}",
    ]


def test_keys_of_others_are_theirs(bench):
    write(bench, "sites/common_site_config.json", socketio_prot=1, frappe_realtime=2, x_y=3)
    write(bench, "sites/one.localhost/site_config.json", db_name="x")
    assert find(bench) == []


def test_each_known_key_is_known(bench):
    known = config.load("").sources
    write(bench, "sites/common_site_config.json", **dict.fromkeys(known))
    assert find(bench) == []


def test_the_file_of_a_site(bench):
    name = "sites/one.localhost/site_config.json"
    write(bench, name, frappe_rt_cach_ms=1, frappe_rt_cache_ms=2)
    assert find(bench) == [
        f"{name}: 'frappe_rt_cach_ms' {NEAR} frappe_rt_cache_ms?",
        f"{name}: 'frappe_rt_cache_ms' has no effect there, but in sites/common_site_config.json",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '"frappe_rt_x"', "\xff"])
def test_a_broken_file_of_a_site_is_nothing_to_stumble_over(bench, text):
    (bench / "sites/one.localhost/site_config.json").write_text(text, encoding="latin-1")
    assert find(bench) == []


def test_the_environment_is_not_ours_alone(bench, monkeypatch):
    monkeypatch.setenv("FRAPPE_RT_CACHE_MSEC", "1")
    monkeypatch.setenv("FRAPPE_RT_CACHE_MS", "1")
    monkeypatch.setenv("FRAPPE_RT_SOMETHING_ELSE", "1")
    assert find(bench) == [f"environment: 'FRAPPE_RT_CACHE_MSEC' {NEAR} FRAPPE_RT_CACHE_MS?"]
    assert find("") == find(bench)


def test_one_line_each_whatever_the_names(bench, monkeypatch):
    site = bench / "sites" / b"\xff".decode(errors="surrogateescape")
    site.mkdir()
    (site / "site_config.json").write_text('{"frappe_rt_a\\nb\\u0000": 1}')
    [line] = find(bench)
    assert line == f"sites/\\udcff/site_config.json: 'frappe_rt_a\\nb\\x00' {NONE_NEAR}"


def test_the_log_at_the_start_and_at_each_reading(bench, capfd):
    name = "sites/common_site_config.json"
    write(bench, name, frappe_rt_host="127.0.0.1", frappe_rt_cach_ms=1)
    for _ in range(2):
        frappe_rt.start(str(bench), socketio_port=0, frappe_rt_redis=False)
    said = capfd.readouterr().err.splitlines()
    [line] = [line for line in said if "cach_ms" in line]
    assert line.endswith(f" WARNING frappe_rt.config {name}: 'frappe_rt_cach_ms' {NEAR} "
                         "frappe_rt_cache_ms?")  # fmt: skip
    write(bench, name, frappe_rt_host="127.0.0.1", frappe_rt_hots="127.0.0.1")
    frappe_rt.reload()
    said = capfd.readouterr().err
    assert said.count("'frappe_rt_hots'") == 1
    assert "cach_ms" not in said
