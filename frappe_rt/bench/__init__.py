"""Inside a bench: what makes a Frappe that knows nothing of frappe_rt use it."""

from frappe_rt.bench.take_over import TakeOver, release, take_over

__all__ = ["TakeOver", "release", "take_over"]
