"""The one wall clock of the services: what is stored and shown as a time comes from here."""

import time


def now_millis() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000
