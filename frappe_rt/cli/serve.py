"""``serve``: the realtime server of a bench as a process of its own."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

import click

from frappe_rt import serving


@click.command()
@click.option(
    "--bench",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
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
def serve(
    bench: str | None,
    port: int | None,
    uds: str | None,
    host: str | None,
    redis: bool | None,
    log_level: str,
    log_file: str | None,
    die_with_parent: bool,
) -> None:
    """Run the realtime server of a bench until SIGINT or SIGTERM.

    Options stand above the environment, and that above sites/common_site_config.json. The limit on
    open files is raised as far as allowed. Under systemd, Type=notify is answered and sockets are
    taken over (socket activation).
    """
    if die_with_parent:
        _end_with(os.getppid())
    overrides: dict[str, Any] = {
        "socketio_port": port,
        "socketio_uds": uds if port is None else uds or "",
        "frappe_rt_host": host,
        "frappe_rt_redis": redis,
    }
    serving.become(serving.Order(bench, overrides, log_level, log_file))


PR_SET_PDEATHSIG = 1


def _end_with(parent: int) -> None:
    """Have SIGTERM sent to this process when its parent ends (prctl(2), kept across exec)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        serving.fail(f"--die-with-parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before we had asked
        raise SystemExit(0)
