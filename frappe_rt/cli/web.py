"""``web``: Frappe's development web process with the realtime server beside it."""

from __future__ import annotations

import click

from frappe_rt import config
from frappe_rt.cli.options import bench_option
from frappe_rt.terminal import fail


@click.command(context_settings={"ignore_unknown_options": True})
@bench_option
@click.option("--site", metavar="NAME", help="Serve this site only, whatever a request says.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def web(bench: str | None, site: str | None, options: tuple[str, ...]) -> None:
    """Run Frappe's `bench serve` with the realtime server beside it, for the web: line of a
    Procfile.

    OPTIONS go to Frappe's serve: --port, --noreload, ... The realtime server lives through its
    reloads, and ends with it.
    """
    bench = bench or config.find_bench()
    if bench is None:
        fail("no bench around here: run it in one, or name it with --bench")
    from frappe_rt.bench.web import become

    become(bench, site, list(options))
