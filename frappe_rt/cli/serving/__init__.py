"""The process that ``serve`` is, from its options to its end.

1. `options`: the options, as one table, and the order they make.
2. `run`: start, serve, stop.
3. `process`: signals, limits, parent.
4. `log_file`, `rereading`, `surroundings`, `systemd`: what `run` needs of each.

Memory rule: nothing here may import Click or anything else that is heavy: it would stay in memory
for as long as the server runs. ``python -m frappe_rt serve`` comes here directly when it can read
the options itself. When Click has to read them, the process then executes
``python -m frappe_rt.cli.serving`` in its own place, and so drops the 3 MB that Click takes.
"""
