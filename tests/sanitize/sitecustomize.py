"""Runs at the start of a sanitized interpreter (see the script `python` beside this file)."""

import os
import sys

# Node, Redis and Chromium, started by a test, must not inherit the sanitizers ...
os.environ.pop("LD_PRELOAD", None)
# ... and a Python started by a test must get them again.
sys.executable = os.environ["FRAPPE_RT_SANITIZED"]
