"""The figures of a server, each with its sentence: as JSON, for Prometheus, and in the docs."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.bench import ask, start, wait_for
from support.fake_host import FakeHost
from test_docs import get_table_rows

import frappe_rt
from frappe_rt import config
from frappe_rt.cli.stats import flatten

PAGE = Path(__file__).parents[2] / "docs/figures.md"
NOT_WALKED = ("hosts", "waiting_sites")


@pytest.fixture(autouse=True)
def stopped():
    yield
    frappe_rt.stop()
    config.give(config.Given())


QUESTIONS = (b'{"rt":"stats"}', b'{"rt":"figures"}', b'{"rt":"metrics"}')


@pytest.fixture
def path(bench):
    start(bench, frappe_rt_redis=True, redis_queue="redis://127.0.0.1:1")
    return str(bench / "config/frappe_rt.sock")


@pytest.fixture
def answers(path):
    """Of a server without handler hosts; Redis is away."""
    return ask(path, *QUESTIONS)


@pytest.fixture
def answers_with_host(path):
    with FakeHost(path, ["hello"]):
        return ask(path, *QUESTIONS)


def get_families(text):
    return list(text_string_to_metric_families(text))


def test_each_is_explained_once(answers):
    stats, figures, _ = answers
    walked = {key: value for key, value in stats.items() if key not in NOT_WALKED}
    names = [figure["name"] for figure in figures["figures"]]
    assert names == [name for name, _ in flatten(walked)]
    for figure in figures["figures"]:
        assert re.fullmatch(r"[A-Z][^\n\\\"|]+[^.]\.", figure["help"]), figure
        assert figure["type"] in ("counter", "gauge")


def test_values_and_units(answers):
    figures = {figure["name"]: figure for figure in answers[1]["figures"]}
    assert figures["local_lines.commands"]["value"] == 2
    assert figures["local_open"]["value"] is True
    assert figures["redis_subscribed"]["value"] is False
    assert figures["log_lines_lost"] == {
        "name": "log_lines_lost",
        "value": 0,
        "type": "counter",
        "unit": None,
        "help": "Lines of the log lost since the process started.",
    }
    units = {name: figure["unit"] for name, figure in figures.items() if figure["unit"]}
    assert units["net.bytes_in"] == units["owed_bytes_worst"] == "bytes"
    assert units["uptime_ms"] == units["redis_away_ms"] == "ms"


def test_prometheus_reads_it(answers):
    text = answers[2]["text"]
    assert text.endswith("\n")
    families = {family.name: family for family in get_families(text)}
    commands = families["frappe_rt_local_lines_commands"]
    assert commands.type == "counter"
    assert commands.documentation == "Commands received on the local socket."
    (sample,) = commands.samples
    assert (sample.name, sample.value) == ("frappe_rt_local_lines_commands_total", 3)
    assert families["frappe_rt_redis_subscribed"].samples[0].value == 0
    assert families["frappe_rt_local_open"].samples[0].value == 1
    assert families["frappe_rt_net_in_bytes"].type == "counter"
    assert families["frappe_rt_owed_worst_bytes"].type == "gauge"


def test_prometheus_gets_seconds(answers):
    stats, _, metrics = answers
    (family,) = (f for f in get_families(metrics["text"]) if f.name == "frappe_rt_uptime_seconds")
    assert 0 <= family.samples[0].value - stats["uptime_ms"] / 1000 < 60
    assert "ms" not in {word for f in get_families(metrics["text"]) for word in f.name.split("_")}


def test_prometheus_gets_reasons_as_labels(answers):
    stats, _, metrics = answers
    (family,) = (f for f in get_families(metrics["text"]) if f.name == "frappe_rt_closed_sessions")
    assert {sample.labels["reason"]: sample.value for sample in family.samples} == stats["closed"]


def test_each_metric_stands_once(answers):
    """One HELP and one TYPE for each name, its samples behind them."""
    expect_each_metric_once(answers[2]["text"])


def expect_each_metric_once(text):
    names = re.findall(r"^# TYPE (\w+) ", text, re.M)
    assert names == re.findall(r"^# HELP (\w+) ", text, re.M)
    assert len(names) == len(set(names))
    samples = re.findall(r"^(frappe_rt_\w+)", text, re.M)
    assert list(dict.fromkeys(samples)) == names


def test_each_host_has_a_label(path):
    with FakeHost(path, ["one"]) as one, FakeHost(path, ["two"]) as two:
        one.say(op="nonsense")
        wait_for(lambda: any(host["lines_skipped"] for host in ask(path, QUESTIONS[0])[0]["hosts"]))
        _, figures, metrics = ask(path, *QUESTIONS)
    skipped = [figure for figure in figures["figures"] if figure["name"] == "hosts.lines_skipped"]
    assert {figure["host"]: figure["value"] for figure in skipped} == {one.id: 1, two.id: 0}
    (family,) = (
        f for f in get_families(metrics["text"]) if f.name == "frappe_rt_hosts_lines_skipped"
    )
    assert {sample.labels["host"]: sample.value for sample in family.samples} == {
        one.id: 1,
        two.id: 0,
    }
    expect_each_metric_once(metrics["text"])


def test_the_page_has_every_figure(answers_with_host):
    _, figures, metrics = answers_with_host
    rows = [row for row in get_table_rows(PAGE.read_text()) if row[0].startswith("`")]
    assert [(figure.strip("`"), help) for figure, _, help in rows] == [
        (figure["name"], figure["help"]) for figure in figures["figures"]
    ]
    said = [f"`{name}`" for name in re.findall(r"^(frappe_rt_\w+)", metrics["text"], re.M)]
    assert [metric for _, metric, _ in rows] == said


def test_a_server_without_redis_has_none_of_its_figures(bench):
    start(bench)
    (figures,) = ask(str(bench / "config/frappe_rt.sock"), b'{"rt":"figures"}')
    names = {figure["name"] for figure in figures["figures"]}
    assert not any(name.startswith("redis") for name in names)
