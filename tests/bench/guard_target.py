"""What guard.py runs under callgrind: a server in a process that also publishes.

    guard_target.py SITE SETTINGS MARKS      SETTINGS: JSON, as frappe_rt.start takes them

A command a line on stdin, `done` after each: `mark` (marks.c) and `publish N`.
"""

import ctypes
import json
import sys

import frappe_rt

SITE, SETTINGS, MARKS = sys.argv[1:4]
mark = ctypes.CDLL(MARKS).mark


def publish(times):
    for number in range(times):
        message = {"doctype": "ToDo", "name": f"T-{number:06}", "user": "ada@example.com"}
        frappe_rt.publish_realtime("list_update", message, doctype="ToDo")


def main():
    with frappe_rt.start("", SITE, **json.loads(SETTINGS)):
        print("done", flush=True)
        for line in sys.stdin:
            name, _, argument = line.strip().partition(" ")
            if name == "mark":
                mark()
            else:
                publish(int(argument))
            print("done", flush=True)


main()
