"""A stand-in for a Frappe site, to see the server work: logins, one document, buttons.

`site` knows who may do what and calls `publish_realtime`; `web` speaks HTTP; `page/` is the
browser's part, with ``client/realtime.js``. There are no passwords, and it listens on loopback
only: it is for demonstration.
"""
