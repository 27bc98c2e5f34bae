"""Jobs for a real RQ worker."""

import os
import signal

import frappe_rt


def report(job, count, end=""):
    """Publish `count` times, then end so."""
    for n in range(count):
        frappe_rt.publish_realtime("n", [job, n], user="ada@example.com")
    if end == "raise":
        raise RuntimeError("this job fails")
    if end == "exit":
        os._exit(1)
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def show_progress(count):
    """What a long job of Frappe does."""
    for n in range(1, count + 1):
        frappe_rt.publish_progress(n * 100 / count, title="Import", user="ada@example.com")
