"""What a stream's metadata says about events that may be gone."""

from typing import Any

import msgspec

from infrastructure.event_store.events import StreamLimits

_DELETED = 2**63 - 1


def stream_limits(metadata: bytes) -> StreamLimits:
    """From the newest event of the stream's metadata stream. Values that the store ignores are ignored."""
    try:
        fields: Any = msgspec.json.decode(metadata)
    except msgspec.DecodeError:
        return StreamLimits()
    if not isinstance(fields, dict):
        return StreamLimits()
    # `$maxCount` is not among them: it always leaves the newest event, which says that the others were there.
    begin, age = (_positive(fields.get(key)) for key in ("$tb", "$maxAge"))
    return StreamLimits(begin == _DELETED, begin, bool(age))


def _positive(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
