"""Times as clients write and read them: RFC 3339, UTC, milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_Aware = Annotated[datetime, Meta(tz=True)]

# An offset's plus sign, sent without percent-encoding, arrives as a space.
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")


def rfc3339(millis: int) -> str:
    """Epoch milliseconds as `2026-01-31T12:00:00.000Z`."""
    # Whole numbers throughout: a float would lose the last digit of a far time.
    return (_EPOCH + timedelta(milliseconds=millis)).isoformat(timespec="milliseconds")[:-6] + "Z"


def epoch_millis(text: str) -> int:
    """An RFC 3339 time, with any offset, as epoch milliseconds (what is finer is cut off). Raises ValueError."""
    try:
        moment = msgspec.convert(_LOST_PLUS.sub("+", text), _Aware)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return (moment - _EPOCH) // _MILLISECOND
