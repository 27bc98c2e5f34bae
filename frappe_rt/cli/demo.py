"""``demo``: the server thread and a stand-in for a site, in one process."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

import click

from frappe_rt.cli.serving import process
from frappe_rt.cli.serving.options import PORT_MOST
from frappe_rt.demo import site
from frappe_rt.demo.web import Web
from frappe_rt.terminal import fail

#: The page's port, if none is given and this one is free.
WEB_PORT = 8765
STOP_SECONDS = 2.0
_PORT = click.IntRange(0, PORT_MOST)


@click.command()
@click.option("--port", type=_PORT, default=0, help="Of the realtime server.")
@click.option("--web-port", type=_PORT, help="Of the page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def demo(port: int, web_port: int | None, host: str, no_open: bool) -> None:
    """Show it working: a page, logins, buttons; needs no bench.

    No Redis, no Node, no Frappe: all of it runs in this process. Ports default to free ones.
    """
    process.block_signals()
    web = _listen(host, web_port)
    server = process.start_or_exit(
        "",
        site.NAME,
        socketio_port=port,
        socketio_uds="",
        frappe_rt_host=host,
        frappe_rt_redis=False,
        webserver_host="127.0.0.1",
        webserver_port=web.server_port,
    )
    web.socketio_port = server.port
    threading.Thread(target=web.serve_forever, name="demo web", daemon=True).start()
    url = f"http://127.0.0.1:{web.server_port}/"
    click.echo(f"demo: {click.style(url, bold=True)}")
    click.echo(f"realtime server: {', '.join(server.addresses)}, site {site.NAME}")
    click.echo("Ctrl-C ends it.")
    if not no_open:
        _open_browser(url)
    process.wait_for_signal()
    process.stop_within(STOP_SECONDS)


def _listen(host: str, port: int | None) -> Web:
    wanted = [WEB_PORT, 0] if port is None else [port]
    for candidate in wanted[:-1]:
        with suppress(OSError):
            return Web((host, candidate))
    try:
        return Web((host, wanted[-1]))
    except OSError as error:
        why = f"port {wanted[-1]} for the page: {error.strerror}; choose another with --web-port"
        fail(why)


def _open_browser(url: str) -> None:
    """Where there is a screen and a person: not in a script, nor over a plain remote shell."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.stdout.isatty() and screen:
        import webbrowser

        webbrowser.open(url)
