"""Appending: a command's events at the end of its stream, at exactly the version that they were decided on."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from command_api.aggregates import Aggregates, CommandResult, LoadedAggregate
from command_api.repetitions import REPEATED, is_of_earlier_run
from command_api.requests import CommandRequest
from domain.model.aggregate import Aggregate
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from infrastructure.evidence.chain import linked

Clock = Callable[[], datetime]


class NotThere(Exception):
    """The event store recognised a repeated creation, whose events are not in the stream any more."""


class Appender:
    """Writes the events of commands, and caches the aggregates that come of them."""

    def __init__(self, store: EventStore, codec: EventCodec, aggregates: Aggregates, clock: Clock) -> None:
        self._store = store
        self._codec = codec
        self._aggregates = aggregates
        self._clock = clock

    async def append(
        self,
        aggregate: Aggregate,
        stream: str,
        loaded: LoadedAggregate,
        request: CommandRequest,
        events: Sequence[Struct],
    ) -> CommandResult:
        """Appends all of the events, or none. Raises WrongExpectedRevision, NotThere, and what the stores raise."""
        metadata = EventMetadata(
            command_id=request.command_id,
            command_hash=request.command_hash or None,
            correlation_id=request.correlation_id,
            causation_id=request.command_id,
            actor=request.actor,
            traceparent=request.trace.traceparent,
            tracestate=request.trace.tracestate,
            sent_by=request.sent_by,
        )
        encode = await self._codec.encoder(stream, events)
        new_events = [
            encode(event, metadata, event_id(stream, request.command_id, request.command_hash, index))
            for index, event in enumerate(events)
        ]
        new_events, chain = linked(stream, loaded.chain, new_events)
        appended = await self._store.append(stream, loaded.revision, new_events)
        result = CommandResult(appended.revision, appended.position, request.command_hash)
        if request.has_client_key:
            # The store may have recognised an earlier run of this command, whose events can have other times than
            # these: then only the stream can tell the state, and the head of its chain.
            if loaded.revision == NO_STREAM:
                await self._require_there(stream, appended.revision, new_events, request.correlation_id)
            return result
        state = loaded.state
        for event in events:
            state = aggregate.evolve(state, event)
        created = loaded.revision == NO_STREAM
        self._aggregates.cache(
            aggregate,
            request.aggregate_id,
            LoadedAggregate(
                state=state,
                revision=appended.revision,
                results={**loaded.results, request.command_id: result},
                first=appended.revision - len(new_events) + 1 if created else loaded.first,
                event_id=new_events[-1].id,
                position=appended.position,
                snapshot_revision=loaded.snapshot_revision,
                chain=chain,
            ),
        )
        return result

    async def _require_there(self, stream: str, revision: int, events: Sequence[NewEvent], correlation_id: str) -> None:
        """The store recognises a repeated creation even if its events have been deleted or cut off since; then nothing
        is written. Raises NotThere."""
        found = await self._store.read_stream(stream, revision, 1)
        if not found or found[0].id != events[-1].id:
            raise NotThere
        if is_of_earlier_run(found[0], events[-1], correlation_id, self._clock()):
            REPEATED.inc()
