"""``config``: what the server would use, and why."""

from __future__ import annotations

import json

import click

from frappe_rt import config as configuration
from frappe_rt import unknown_keys
from frappe_rt.cli.options import bench_option
from frappe_rt.terminal import fail

#: Marks the keys whose new value a running server takes.
LIVE = "live"


@click.command()
@bench_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the help text of each key.")
def config(bench: str | None, as_json: bool) -> None:
    """Show the effective configuration and where each value is from.

    A running server reads its configuration again on SIGHUP, or when a file changes. Then it takes
    new values of the keys marked "live"; the others need a restart.
    """
    try:
        effective = configuration.load(bench)
    except ValueError as error:
        fail(str(error))
    for line in unknown_keys.find(effective):
        click.secho(f"frappe_rt: {line}", fg="yellow", err=True)
    if as_json:
        click.echo(json.dumps(effective.sources, indent=2))
        return
    click.echo(f"bench: {effective.bench or 'none found'}\n")
    width = max(map(len, effective.sources))
    for key, source in effective.sources.items():
        value = json.dumps(source["value"])
        line = f"{key:{width}}  {value:28}  {source['from']:22}  {LIVE if source['live'] else ''}"
        click.secho(line.rstrip(), bold=source["from"] != "default")
