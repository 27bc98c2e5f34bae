"""``serve``: the realtime server of a bench as a process of its own.

Plain options are read by `frappe_rt.serve_options`, which knows them too; here they are explained.
"""

from __future__ import annotations

from typing import Any

import click

from frappe_rt import serving


@click.command()
@click.option(
    "--bench",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here.",
)
@click.option(
    "--port", type=click.IntRange(0, serving.PORT_MOST), help="TCP port; 0 takes a free one."
)
@click.option("--uds", metavar="PATH", help="Listen on this Unix socket instead of a port.")
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.")
@click.option("--redis/--no-redis", default=None, help="Take events from Redis, or do not.")
@click.option(
    "--log-level",
    type=click.Choice(serving.LOG_LEVELS),
    default="info",
    show_default=True,
    help="What to log.",
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, resolve_path=True),
    help="Log to this file instead of stderr; SIGHUP opens it again.",
)
@click.option("--die-with-parent", is_flag=True, help="End when the process that started it does.")
def serve(**given: Any) -> None:
    """Run the realtime server of a bench until SIGINT or SIGTERM.

    Options stand above the environment, and that above sites/common_site_config.json. The limit on
    open files is raised as far as allowed. Under systemd, Type=notify is answered and sockets are
    taken over (socket activation).
    """
    serving.become(serving.make_order(**given))
