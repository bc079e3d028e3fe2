"""From older schema versions of the notifications' events to the newest."""

from typing import Any


def notification_requested_1_to_2(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has the same fields; from then on the recipient is encrypted."""
    return fields
