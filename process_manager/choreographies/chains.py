"""The chain of one instance of a choreography: read from the streams that its id names, and nothing else.

There is no index by correlation id: it would be one write more for every event of the log, for what is asked seldom,
and what people do in between (a signature) has a correlation id of its own. The streams are short; of one that is not,
the first events are read, and it is told that there are more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from domain.model.choreography import Awaited, Chain, Choreography, chain_of
from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import Decode, EventCodec, EventMetadata, decode_metadata
from infrastructure.event_store import StoredEvent, StreamDeleted

MAX_EVENTS = 500
"""Of one stream."""


class NoSuchChoreography(Exception):
    """The application has no choreography of that name."""


class NoSuchChain(Exception):
    """Nothing of the choreography has begun for that id."""


class StreamReader(Protocol):
    """See infrastructure.event_store.EventStore."""

    async def read_stream(self, stream: str, from_revision: int = ..., limit: int = ...) -> list[StoredEvent]: ...


class Link(Struct, frozen=True):
    """One event of a chain. `event` is None where it can't be decoded, for the reason `error`."""

    stored: StoredEvent
    metadata: EventMetadata
    event: Any
    error: str = ""


class ReadChain(Struct, frozen=True):
    """`links` are in the order of the log, and `chain` says how they follow from one another. `incomplete` are the
    streams with more events than were read, `deleted` those that are gone."""

    links: Sequence[Link]
    chain: Chain
    incomplete: Sequence[str]
    deleted: Sequence[str]

    @property
    def awaited(self) -> Sequence[Awaited]:
        return self.chain.awaited


class ChainReader:
    """Over the log. Every method raises NoSuchChoreography, and what the event store and the key store raise."""

    def __init__(
        self,
        store: StreamReader,
        codec: EventCodec,
        choreographies: Sequence[Choreography],
        max_events: int = MAX_EVENTS,
    ) -> None:
        self.choreographies: Mapping[str, Choreography] = {one.name: one for one in choreographies}
        self._store = store
        self._codec = codec
        self._max_events = max_events

    def choreography(self, name: str) -> Choreography:
        """The one of that name."""
        if name not in self.choreographies:
            known = ", ".join(sorted(self.choreographies)) or "none"
            raise NoSuchChoreography(f"there is no choreography {name[:100]!r}; there are {known}")
        return self.choreographies[name]

    async def read(self, name: str, instance: str) -> ReadChain:
        """The chain of an instance as the log has it now. Raises NoSuchChain."""
        choreography = self.choreography(name)
        streams = choreography.streams(instance)
        found = await asyncio.gather(*(self._events(stream) for stream in streams))
        stored = sorted(
            (one for events in found for one in (events or ())[: self._max_events]), key=lambda one: one.position
        )
        decode = await self._codec.decoder(stored)
        links = [link for link in (_link(decode, one) for one in stored) if _belongs(choreography, link)]
        if not any(isinstance(link.event, choreography.begins_with) for link in links):
            raise NoSuchChain(f"no {name} of {instance[:100]!r} has begun")
        cut = [one for one, events in zip(streams, found, strict=True) if events and len(events) > self._max_events]
        gone = [one for one, events in zip(streams, found, strict=True) if events is None]
        return ReadChain(links, chain_of(choreography, [_recorded(link) for link in links]), cut, gone)

    async def _events(self, stream: str) -> list[StoredEvent] | None:
        """One more than are shown, so that it is known that there are more; None where the stream was deleted."""
        try:
            return await self._store.read_stream(stream, 0, self._max_events + 1)
        except StreamDeleted:
            return None


def _link(decode: Decode, stored: StoredEvent) -> Link:
    try:
        metadata = decode_metadata(stored)
    except UndecodableEvent as error:
        return Link(stored, EventMetadata(), None, str(error))
    try:
        return Link(stored, metadata, decode(stored).event)
    except (UnknownEventType, UndecodableEvent) as error:
        return Link(stored, metadata, None, str(error))


def _belongs(choreography: Choreography, link: Link) -> bool:
    """One that can't be read is shown: it may belong to the chain."""
    return link.event is None or choreography.belongs(link.event)


def _recorded(link: Link) -> RecordedEvent[Any] | None:
    if link.event is None:
        return None
    stored = link.stored
    return RecordedEvent(link.event, stored.stream, stored.revision, stored.position, stored.recorded_at)
