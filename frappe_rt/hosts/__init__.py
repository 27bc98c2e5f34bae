"""The handler hosts, seen from the process that serves: start, watch, replace and stop them.

A host is a process that runs the realtime handlers of apps. What runs inside it is in `handlers/`.

1. `apps`: which apps of the bench have handlers, in which language.
2. `supervisor`: the thread that decides when a host starts, is replaced or ends.
3. `processes`: one host and its processes.
"""
