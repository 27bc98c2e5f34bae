"""From `publish_realtime` to the bytes that leave this process.

1. `publish` and `publish_to`: Frappe's rules. Which event, which room, now or after the commit.
2. `frappe_local`: the site, user, task and transaction that Frappe has for this thread.
3. `rooms`: the names of rooms.
4. `message`: the message as JSON.
5. `deliver`: the way out. The server thread of this process, the local socket, or Redis.

The functions for users are names of `frappe_rt` itself.
"""
