"""A stand-in for a Frappe site, to see the server work: logins, one document, buttons.

`site` knows who may do what and calls `publish_realtime`; `web` speaks HTTP; `page/` is the side
of the browser, over ``client/realtime.js``. No passwords, loopback only: it is for showing.
"""
