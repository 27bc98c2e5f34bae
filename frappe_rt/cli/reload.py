"""``reload``: have the server of a bench start the realtime handlers of its apps again."""

from __future__ import annotations

import click

from frappe_rt.cli.local_socket import ask, connect, find
from frappe_rt.cli.options import bench_option
from frappe_rt.hosts import apps
from frappe_rt.terminal import fail


@click.command()
@bench_option
def reload(bench: str | None) -> None:
    """Run the realtime handlers of apps anew, as their files are now.

    No connection is dropped and no event is lost: the new ones take over when they are ready.
    Should they fail, the old ones go on; the server's log says so.
    """
    path, folder = find(bench)
    with connect(path) as stream:
        answer = ask(stream, path, "reload")
    if error := answer.get("error"):
        fail(f"the server at {path}: {error}")
    if folder and not apps.find_handlers(folder):
        click.echo("no app of this bench has realtime handlers; there are none to start")
        return
    click.echo("the handlers are started anew; the server's log says when they have taken over")
