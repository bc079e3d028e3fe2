"""Events that a consumer can't handle: shown to operators, and stored until they are retried or discarded."""

from typing import Literal

from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure, failure_told
from infrastructure.dead_letters.marks import Marks
from infrastructure.dead_letters.masking import texts_in_json
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write

COLLECTION = "parked_events"
_MAX_TEXT = 65_536

Kind = Literal["stream", "key"]


class ParkedEvent(Marks, frozen=True):
    """An event set aside for one consumer, because it fails or because it follows one that does.

    `target` is what it is set aside for, such as a view's build. `kind` says what is parked with all its later events:
    the event's whole stream (its keys are not known) or one of the consumer's keys (for a view: a document); `key`
    names it. `first` is 1 for the event that parked the key, 0 for those behind it. Times are epoch milliseconds.
    `data` and `metadata` are for people: at most 64 Ki characters; the event itself stays in its stream at `revision`.
    `event` is its id; empty in a record of a release that kept none.

    What stands behind another has the fingerprint of that one, because it will be handled with it. `error` is the last
    failure's text.
    """

    consumer: str
    target: str
    kind: str
    key: str
    first: int
    stream: str
    revision: int
    position: int
    event_type: str
    error: str
    recorded_at: int
    parked_at: int
    data: str
    metadata: str
    event: str = ""

    @property
    def cause(self) -> Failure:
        """Why the key is parked; found by the text where an older release has recorded nothing else."""
        if self.fingerprint:
            return Failure(self.error, self.place, self.message, self.fingerprint)
        named = (self.key, self.stream, self.stream.partition("-")[2], self.event)
        return failure_told(self.error, self.event_type, (*named, *texts_in_json(self.data)))


INDEXES = (
    ("position",),
    ("consumer", "position"),
    ("target", "position"),
    ("target", "first", "position"),
    ("target", "key", "position"),
    ("target", "fault", "parked_at"),
    ("target", "fault", "first", "position"),
)


def parked_event(
    consumer: str, target: str, kind: Kind, key: str, stored: StoredEvent, error: str, cause: Failure, *, first: bool
) -> ParkedEvent:
    """The record of one event set aside. `cause` is why its key is parked."""
    return ParkedEvent(
        consumer=consumer,
        target=target,
        kind=kind,
        key=key,
        first=int(first),
        stream=stored.stream,
        revision=stored.revision,
        position=stored.position,
        event_type=stored.type,
        error=readable(error),
        recorded_at=stored.recorded_at,
        parked_at=now_millis(),
        data=readable(stored.data),
        metadata=readable(stored.metadata),
        event=stored.id,
        fingerprint=cause.fingerprint,
        fault=cause.fault,
        place=readable(cause.place),
        message=readable(cause.message),
    )


def parked_id(target: str, kind: str, key: str, position: int) -> str:
    """The key of its record. An event can be parked for several keys, in different processes; it
    is parked for its stream only once."""
    place = f"{target}:{position:020}"
    return f"{place}:{key}" if kind == "key" else place


def parked_write(parked: ParkedEvent, fields: dict[str, object]) -> Write:
    """The write that records it: repeated, it is refused and changes nothing."""
    return Write(parked_id(parked.target, parked.kind, parked.key, parked.position), parked.position, fields)


def readable(text: str | bytes) -> str:
    """Text that every store can hold: bytes that are not UTF-8, and NUL, are escaped, and the excess is cut off."""
    if isinstance(text, str):
        text = text.encode("utf-8", "backslashreplace")
    cut = text[:_MAX_TEXT].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return cut if len(text) <= _MAX_TEXT else f"{cut[:_MAX_TEXT]}... ({len(text)} bytes)"


def describe(error: Exception) -> str:
    """An error as it is shown to operators."""
    return f"{type(error).__name__}: {error}"
