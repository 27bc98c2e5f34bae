"""``python -m frappe_rt``."""

import sys


def main() -> None:
    """Plain ``serve`` starts without Click, which would take half of its start; the rest by it."""
    if sys.argv[1:] == ["serve"]:
        from frappe_rt import serving

        serving.serve(serving.Order(None, {}))
    else:
        from frappe_rt import cli

        cli.main(prog_name="python -m frappe_rt")


if __name__ == "__main__":
    main()
