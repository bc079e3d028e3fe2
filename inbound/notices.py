"""What a dead letter says of itself in the dead-letter topic or queue: headers beside the message's own."""

from datetime import UTC, datetime

from inbound.records import DeadLetterRecord
from infrastructure.inbound.messages import DeadLetterNotice

_PREFIX = "eventfold-"
_LONGEST_REASON = 500


def notice_of(record: DeadLetterRecord) -> DeadLetterNotice:
    """The headers. Their values are ASCII: whatever else the reason says is escaped."""
    parked_at = datetime.fromtimestamp(record.parked_at / 1000, UTC)
    said = {
        "dead-letter-id": record.identity,
        "reason": record.error[:_LONGEST_REASON],
        "error-class": record.error_class,
        "error-code": record.error_code,
        "consumer": record.consumer,
        "source": record.origin.queue,
        "source-partition": str(record.origin.queue_partition) if record.origin.queue_partition >= 0 else "",
        "source-offset": str(record.origin.queue_offset) if record.origin.queue_offset >= 0 else "",
        "set-aside-at": parked_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "attempts": str(record.attempts),
    }
    return DeadLetterNotice({f"{_PREFIX}{name}": _ascii(value) for name, value in said.items() if value})


def _ascii(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text).encode("ascii", "backslashreplace").decode()
