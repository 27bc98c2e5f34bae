"""As in Frappe 15 and 16: it knows no handlers, and whoever runs them adds what they import."""


def publish_realtime() -> None:
    return None
