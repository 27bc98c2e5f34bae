"""``web``: Frappe's development web process with the realtime server beside it."""

from __future__ import annotations

import click

from frappe_rt import config, serving


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--bench",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here.",
)
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
        serving.fail("no bench around here: run it in one, or name it with --bench")
    from frappe_rt.bench.web import become

    become(bench, site, list(options))
