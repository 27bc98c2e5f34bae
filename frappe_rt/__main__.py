"""``python -m frappe_rt``."""

import sys


def main() -> None:
    """``serve`` starts without Click, which would take most of its start; the rest goes by it."""
    if sys.argv[1:2] == ["serve"]:
        from frappe_rt import serve_options, serving

        given = serve_options.read(sys.argv[2:])
        if given is not None:
            serving.serve(serving.make_order(**given))
            return
    from frappe_rt import cli

    cli.main(prog_name="python -m frappe_rt")


if __name__ == "__main__":
    main()
