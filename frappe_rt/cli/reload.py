"""``reload``: have the server of a bench run the realtime handlers of its apps anew."""

from __future__ import annotations

import click

from frappe_rt.cli.stats import ask, connect, get_path
from frappe_rt.serving import fail


@click.command()
@click.option(
    "--bench",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here.",
)
def reload(bench: str | None) -> None:
    """Run the realtime handlers of apps anew, as their files are now.

    No connection is dropped and no event is lost: the new ones take over when they are ready.
    Should they fail, the old ones go on; the server's log says so.
    """
    path = get_path(bench)
    with connect(path) as stream:
        answer = ask(stream, path, "reload")
    if error := answer.get("error"):
        fail(f"the server at {path}: {error}")
    click.echo("the handlers are started anew; the server's log says when they have taken over")
