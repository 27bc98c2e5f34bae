"""``python -m frappe_rt``."""

from frappe_rt.cli import main

if __name__ == "__main__":
    main(prog_name="python -m frappe_rt")
