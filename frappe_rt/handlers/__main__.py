"""``python -m frappe_rt.handlers``: a host, as the server's supervisor starts it."""

import sys

from frappe_rt.handlers.host import main

if __name__ == "__main__":
    main(sys.argv[1:])
