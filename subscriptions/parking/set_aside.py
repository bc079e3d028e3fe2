"""The events that one batch sets aside for one target."""

from collections.abc import Sequence

import msgspec
import structlog
from msgspec import Struct, field

from infrastructure.dead_letters.failure import Failure
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from subscriptions.failures import BEHIND
from subscriptions.parking.parked_events import COLLECTION, Kind, ParkedEvent, parked_event, parked_write
from subscriptions.parking.parking import Parking
from subscriptions.ports import DocumentStore

log = structlog.get_logger(__name__)


class SetAside:
    """Collected while a batch is handled, recorded after its work and before its checkpoint."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self._events: dict[tuple[int, str], ParkedEvent] = {}

    def stream(self, stored: StoredEvent, failure: Failure) -> None:
        """Sets the event aside, and its stream from here on."""
        first = not self._parking.is_stream_parked(stored.stream, stored.position)
        self._parking.add_stream(stored.stream, stored.position)
        self._add(stored, "stream", stored.stream, failure, first=first)

    def key(self, stored: StoredEvent, key: str, failure: Failure) -> None:
        """Sets the event aside for one of its keys, and that key from here on."""
        first = not self._parking.is_key_parked(key, stored.position)
        self._parking.add_key(key, stored.position)
        self._add(stored, "key", key, failure, first=first)

    def stream_behind(self, stored: StoredEvent) -> None:
        """Sets the event aside because its stream is parked."""
        self.stream(stored, BEHIND)

    def key_behind(self, stored: StoredEvent, key: str) -> None:
        """Sets the event aside because the key is parked."""
        self.key(stored, key, BEHIND)

    def _add(self, stored: StoredEvent, kind: Kind, key: str, failure: Failure, *, first: bool) -> None:
        if first:
            self._parking.note_cause(kind, key, failure)
        if (stored.position, key) not in self._events:
            target, cause = self._parking.target, self._parking.cause(kind, key) or failure
            self._events[stored.position, key] = parked_event(
                target.consumer, target.name, kind, key, stored, failure.error, cause, first=first
            )

    def events(self) -> Sequence[ParkedEvent]:
        """The records in commit order."""
        return [self._events[place] for place in sorted(self._events)]

    async def record(self, store: DocumentStore) -> None:
        """Stores a record of every event that was set aside, and logs each once."""
        events = self.events()
        if not events:
            return
        writes: list[Write] = [parked_write(parked, msgspec.to_builtins(parked)) for parked in events]
        already_parked = await store.write(COLLECTION, writes)
        for event, write in zip(events, writes, strict=True):
            if write.key not in already_parked:
                self._parking.count += 1
                log.error(
                    "event parked",
                    consumer=event.consumer,
                    target=event.target,
                    parked_kind=event.kind,
                    key=event.key,
                    stream=event.stream,
                    revision=event.revision,
                    position=event.position,
                    event_type=event.event_type,
                    correlation_id=_correlation_id(event.metadata),
                    error=event.error,
                    fingerprint=event.fingerprint,
                )


class _Metadata(Struct, frozen=True):
    correlation_id: str | None = field(name="$correlationId", default=None)


def _correlation_id(metadata: str) -> str | None:
    """That of an event whose metadata may be anything."""
    try:
        return msgspec.json.decode(metadata, type=_Metadata).correlation_id
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None
