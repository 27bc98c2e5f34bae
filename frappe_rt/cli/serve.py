"""``serve``: the realtime server of a bench as a process of its own.

Click comes here for what `frappe_rt.cli.serving.options.read` does not take.
"""

from __future__ import annotations

from typing import Any

import click

from frappe_rt.cli import options
from frappe_rt.cli.serving import run
from frappe_rt.cli.serving.options import OPTIONS, make_order


@click.command(params=[options.make(option) for option in OPTIONS])
def serve(**given: Any) -> None:
    """Run the realtime server of a bench until SIGINT or SIGTERM.

    An option overrides the environment, and that overrides sites/common_site_config.json. The limit
    on open files is raised as far as allowed. Under systemd, Type=notify is answered and sockets
    are taken over (socket activation).
    """
    run.become(make_order(given))
