"""``python -m frappe_rt``."""

import sys


def main() -> None:
    """Run a command. ``serve`` with plain options does not import Click: that would take longer
    than the rest of its start."""
    if sys.argv[1:2] == ["serve"]:
        from frappe_rt.cli.serving import options, run

        order = options.read(sys.argv[2:])
        if order is not None:
            run.serve(order)
            return
    from frappe_rt.cli.main import run as run_command

    run_command()


if __name__ == "__main__":
    main()
