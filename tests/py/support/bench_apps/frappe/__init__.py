"""Stands for Frappe in the programs that tests start: on the path, its place is taken by a fake."""

import sys

from support.fakes import make_frappe

_made = make_frappe("v15")
_made["frappe"].__path__ = __path__
sys.modules.update(_made)
