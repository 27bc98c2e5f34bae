"""``python -m frappe_rt.cli.serving ORDER``: what `run.become` executes."""

import json
import sys

from frappe_rt.cli.serving.options import Order
from frappe_rt.cli.serving.run import serve

if __name__ == "__main__":
    serve(Order(*json.loads(sys.argv[1])))
