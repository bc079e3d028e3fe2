"""Why an event could not be handled: the failure of an exception, told without what the event says of persons."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from domain.model.personal import without_personal
from infrastructure.dead_letters.failure import Failure, failure_of, failure_told
from infrastructure.dead_letters.masking import texts_in, texts_in_json
from infrastructure.event_store import StoredEvent

BEHIND = failure_told("stands behind an event that is parked", "")
"""Of an event that nobody has tried to handle; it is recorded with the cause of the one before it."""


def event_failure(error: BaseException, stored: StoredEvent, event: Struct | None, key: str = "") -> Failure:
    """The failure of the work for an event: decoded, or None where that is what failed. `key` is whose work it was."""
    shown = f"{type(error).__name__}: {error}"
    if event is not None:
        shown = without_personal(shown, event)
    return failure_of(error, stored.type, _values(stored, event, key), shown=shown)


def text_failure(text: str, stored: StoredEvent, event: Struct | None = None, key: str = "") -> Failure:
    """A failure that no exception tells of."""
    shown = text if event is None else without_personal(text, event)
    return failure_told(shown, stored.type, _values(stored, event, key))


def _values(stored: StoredEvent, event: Struct | None, key: str) -> Iterator[str]:
    yield from (key, stored.stream, stored.stream.partition("-")[2], stored.id)
    if event is None:
        yield from texts_in_json(stored.data)
    else:
        yield from texts_in(msgspec.to_builtins(event, builtin_types=()))
