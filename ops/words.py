"""Numbers and times as people read them."""

from datetime import UTC, datetime

UNKNOWN = "-"


def number(value: float | None) -> str:
    """With thousands separators; a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(fraction: float | None) -> str:
    """A fraction of 1 as a percentage, never 100 before it is done."""
    return UNKNOWN if fraction is None else f"{int(fraction * 1000) / 10:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(milliseconds: int | None) -> str:
    """Epoch milliseconds as UTC to the second."""
    if milliseconds is None:
        return UNKNOWN
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
