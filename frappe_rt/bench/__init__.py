"""Connects an unmodified Frappe, inside a bench, with frappe_rt."""

from frappe_rt.bench.take_over import TakeOver, release, take_over

__all__ = ["TakeOver", "release", "take_over"]
