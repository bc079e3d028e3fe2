"""The one wall clock of the services: every time that is stored or shown comes from here."""

import time
from datetime import UTC, datetime


def now_millis() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def utc_now() -> datetime:
    """Now, aware and in UTC."""
    return datetime.now(UTC)
