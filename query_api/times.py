"""Times as clients write and read them: RFC 3339, UTC, milliseconds."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

_Aware = Annotated[datetime, Meta(tz=True)]

# An offset's plus sign, sent without percent-encoding, arrives as a space.
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")


def rfc3339(millis: int) -> str:
    """Epoch milliseconds as `2026-01-31T12:00:00.000Z`."""
    seconds, rest = divmod(millis, 1000)  # whole numbers: a float would lose the last digit of a far time
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]}.{rest:03}Z"


def epoch_millis(text: str) -> int:
    """An RFC 3339 time, with any offset, as epoch milliseconds (what is finer is cut off). Raises ValueError."""
    try:
        moment = msgspec.convert(_LOST_PLUS.sub("+", text), _Aware)
        seconds = int(moment.astimezone(UTC).replace(microsecond=0).timestamp())
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError(str(error)) from error
    return seconds * 1000 + moment.microsecond // 1000
