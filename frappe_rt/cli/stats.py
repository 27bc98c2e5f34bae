"""``stats``: show what the server of a bench is doing."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import isnan
from typing import Any

import click

from frappe_rt.cli.local_socket import ask, connect, get_path
from frappe_rt.cli.options import bench_option
from frappe_rt.terminal import fail


def _refuse_nan(ctx: click.Context, parameter: click.Parameter, seconds: float) -> float:
    """NaN is in every range of Click, and nothing can wait for it."""
    if isnan(seconds):
        raise click.BadParameter("nan is not a number of seconds; give 0.1 to 3600")
    return seconds


@click.command()
@bench_option
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
@click.option("--explain", is_flag=True, help="Each figure with a sentence that says what it is.")
@click.option("--prometheus", is_flag=True, help="As text that Prometheus reads.")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    callback=_refuse_nan,
    default=2.0,
    show_default=True,
    help="Seconds between two looks with --watch.",
)
def stats(
    bench: str | None,
    as_json: bool,
    explain: bool,
    prometheus: bool,
    watch: bool,
    interval: float,
) -> None:
    """Show what the running server of a bench is doing.

    Columns on a terminal; in a pipe one figure a line, `name value`, or JSON.
    """
    if prometheus and (as_json or explain):
        raise click.UsageError("--prometheus goes with neither --json nor --explain.")
    path = get_path(bench)
    command = "metrics" if prometheus else "figures" if explain else "stats"
    show: Callable[[dict[str, Any]], None]
    if prometheus:
        show = _show_prometheus
    elif as_json:
        show = _show_json
    elif explain:
        show = _show_explained
    elif sys.stdout.isatty():
        show = partial(_show_columns, path=path, clear=watch)
    else:
        show = _show_lines
    try:
        with connect(path) as stream:
            while True:
                answer = ask(stream, path, command)
                if "error" in answer:
                    fail(f"the server at {path}: {answer['error']}")
                show(answer)
                if not watch:
                    return
                sys.stdout.flush()
                time.sleep(interval)
    except KeyboardInterrupt:
        return


def flatten(figures: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure with its full name: ``net.accepted``."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value)


def _show_prometheus(answer: dict[str, Any]) -> None:
    click.echo(answer["text"], nl=False)


def _show_json(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer))


def _show_lines(figures: dict[str, Any]) -> None:
    click.echo("\n".join(f"{name} {value}" for name, value in flatten(figures)))


def _show_explained(answer: dict[str, Any]) -> None:
    rows = [
        (_name_in_full(figure), _tell(figure["value"]), figure["help"])
        for figure in answer["figures"]
    ]
    name_width = max(len(name) for name, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows)
    for name, value, sentence in rows:
        click.echo(f"{name:{name_width}} {value:>{value_width}}  {sentence}")


def _name_in_full(figure: dict[str, Any]) -> str:
    """Of a handler host: with its id, since there may be several."""
    return f"{figure['name']}[{figure['host']}]" if "host" in figure else str(figure["name"])


def _show_columns(figures: dict[str, Any], path: str, clear: bool) -> None:
    """First the present state, then the counters above zero, in as many columns as fit."""
    if clear:
        click.clear()
    click.secho(f"{path}, up {_tell_time(figures['uptime_ms'])}", bold=True)
    gauges = {name: value for name, value in figures.items() if not isinstance(value, dict | list)}
    _show_group("", gauges)
    for name, group in figures.items():
        if isinstance(group, dict):
            _show_group(name, {key: value for key, value in group.items() if value})
    for host in figures["hosts"]:
        _show_host(dict(host))


def _show_host(host: dict[str, Any]) -> None:
    title = f"{host.pop('language')} handlers, process {host.pop('pid')}, {host.pop('state')}"
    del host["id"]
    _show_group(title, {key: value for key, value in host.items() if value})


def _show_group(title: str, group: dict[str, Any]) -> None:
    if not group:
        return
    if title:
        click.secho(f"\n{title.replace('_', ' ')}", bold=True)
    name_width = max(map(len, group))
    texts = {name: _tell(value) for name, value in group.items()}
    value_width = max(map(len, texts.values()))
    cells = [f"{name:{name_width}} {text:>{value_width}}" for name, text in texts.items()]
    in_row = max(1, shutil.get_terminal_size().columns // (name_width + value_width + 4))
    rows = -(-len(cells) // in_row)
    for row in range(rows):
        click.echo("   ".join(cells[row::rows]))


def _tell(value: Any) -> str:
    return f"{value:,}" if type(value) is int else json.dumps(value)


def _tell_time(ms: int) -> str:
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        f"{days} d {hours:02}:{minutes:02}:{seconds:02}"
        if days
        else (f"{hours:02}:{minutes:02}:{seconds:02}")
    )
