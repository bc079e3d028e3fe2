"""The command pipeline: load, decide, append, respond; decided again when another writer appended first.

What is not the sender's is to them as if it were not there.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry import trace
from prometheus_client import Counter

from command_api.aggregates import Aggregates, CommandResult, LoadedAggregate
from command_api.ownership import is_foreign, require_own
from command_api.repetitions import REPEATED, earlier_result, is_of_earlier_run, unscoped_result
from command_api.requests import CommandRequest
from command_api.turns import Turn, Turns
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.model.event_types import UndecodableEvent, UnknownEventType
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent, StreamDeleted, WrongExpectedRevision
from infrastructure.evidence.chain import linked
from infrastructure.telemetry.spans import is_recording

_CONFLICTS = Counter("eventfold_command_conflicts_total", "Appends that met a newer stream and were decided again")

Clock = Callable[[], datetime]


class StaleVersion(Exception):
    """The aggregate is not at the version that the client named in If-Match; `revision` is the one it is at."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"it is at version {revision}")
        self.revision = revision


class _NotThere(Exception):
    """The event store recognised a repeated creation, whose events are not in the stream any more."""


class Contended(Exception):
    """Other writers always appended first; the command was not carried out."""


class Pipeline:
    """Carries out commands. `conflict_retries` bounds how often one command is decided again."""

    def __init__(
        self,
        store: EventStore,
        codec: EventCodec,
        aggregates: Aggregates,
        conflict_retries: int,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._codec = codec
        self._aggregates = aggregates
        self._conflict_retries = conflict_retries
        self._clock = clock
        self._turns = Turns()

    async def handle(self, aggregate: Aggregate, command_type: CommandType, request: CommandRequest) -> CommandResult:
        """Carries the command out, or finds that it was carried out before; returns its result.

        Raises InvalidCommand, RuleViolation, NoSuchAggregate, StaleVersion, KeyReused or Contended, HistoryTruncated,
        Forbidden when it would make what is not the sender's, KeyStoreUnavailable, and what the event store raises.
        """
        stream = aggregate.stream(request.aggregate_id)
        async with self._turns.of(stream) as turn:
            return await self._in_turn(aggregate, command_type, request, turn)

    async def _in_turn(
        self, aggregate: Aggregate, command_type: CommandType, request: CommandRequest, turn: Turn
    ) -> CommandResult:
        stream = aggregate.stream(request.aggregate_id)
        if command_type.creates and not self._aggregates.has(stream):
            # It finds out when it appends whether the stream is new; a read before would not prove it.
            loaded = LoadedAggregate()
        else:
            loaded = await self._load(aggregate, request)
        conflicts, may_create = 0, command_type.creates or command_type.may_create
        while True:
            if loaded.deleted and not may_create:
                if request.owner is not None:
                    self._refuse_as_missing(aggregate, request)
                raise StreamDeleted(stream)
            if is_foreign(aggregate, loaded.state, request):
                if not command_type.creates:
                    self._refuse_as_missing(aggregate, request)
                # That the id is taken can't be hidden, but no version and no result is shown.
                loaded = replace(loaded, revision=NO_STREAM, results={}, read=True)
            try:
                result = earlier_result(loaded, request)
                if result is not None:
                    REPEATED.inc()
                    return result
                events = self._decide(aggregate, loaded, request)
            except (RuleViolation, NoSuchAggregate, StaleVersion):
                if loaded.read:
                    raise
                loaded = await self._load(aggregate, request)
                continue
            try:
                return await self._append(aggregate, stream, loaded, request, events)
            except _NotThere:
                may_create = False  # with these events, the store would not write it
            except WrongExpectedRevision as conflict:
                conflicts += 1
                _CONFLICTS.inc()
                if conflicts > self._conflict_retries:
                    newest = await self._aggregates.load(aggregate, request.aggregate_id)
                    if newest.revision < conflict.actual and not self._store.may_lag:
                        # The newest events can't be read: they have expired.
                        raise HistoryTruncated(stream, None) from conflict
                    raise Contended(f"gave up after {conflicts} conflicts: {conflict}") from conflict
                await turn.take()
            if conflicts > 1:
                await asyncio.sleep(random.uniform(0, 0.01 * 2**conflicts))  # noqa: S311 - spreads writers out
            loaded = await self._load(aggregate, request)

    async def as_first_sent(self, aggregate: Aggregate, request: CommandRequest, unscoped_id: str) -> CommandRequest:
        """The request, or if it repeats a creation from before keys had senders, for the id that was given to it then.

        Raises KeyReused, and what the event store raises.
        """
        earlier = replace(request, aggregate_id=unscoped_id)
        try:
            loaded = await self._aggregates.load(aggregate, unscoped_id)
        except (HistoryTruncated, UnknownEventType, UndecodableEvent):
            return request  # nobody can tell any more
        if is_foreign(aggregate, loaded.state, earlier) or unscoped_result(loaded, earlier) is None:
            return request
        return earlier

    async def _load(self, aggregate: Aggregate, request: CommandRequest) -> LoadedAggregate:
        try:
            return await self._aggregates.load(aggregate, request.aggregate_id)
        except HistoryTruncated:
            # Nobody can tell any more whose it was.
            if request.owner is not None:
                self._refuse_as_missing(aggregate, request)
            raise

    def _refuse_as_missing(self, aggregate: Aggregate, request: CommandRequest) -> NoReturn:
        """Raises what the command gets where there is no such aggregate."""
        self._decide(aggregate, LoadedAggregate(read=True), request)
        raise NoSuchAggregate(f"there is no {aggregate.category} {request.aggregate_id}")

    def _decide(self, aggregate: Aggregate, loaded: LoadedAggregate, request: CommandRequest) -> Sequence[Struct]:
        context = CommandContext(request.aggregate_id, self._clock())
        try:
            events = aggregate.decide(request.command, loaded.state, context)
        except RuleViolation:
            _require_version(loaded, request)
            raise
        _require_version(loaded, request)
        require_own(aggregate, loaded.state, events, request)
        _decided(events)
        return events

    async def _append(
        self,
        aggregate: Aggregate,
        stream: str,
        loaded: LoadedAggregate,
        request: CommandRequest,
        events: Sequence[Struct],
    ) -> CommandResult:
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
        is written. Raises _NotThere."""
        found = await self._store.read_stream(stream, revision, 1)
        if not found or found[0].id != events[-1].id:
            raise _NotThere
        if is_of_earlier_run(found[0], events[-1], correlation_id, self._clock()):
            REPEATED.inc()


def _decided(events: Sequence[Struct]) -> None:
    if is_recording():
        names = [type(event).__name__ for event in events]
        trace.get_current_span().add_event("decided", {"eventfold.events": names})


def _require_version(loaded: LoadedAggregate, request: CommandRequest) -> None:
    if request.if_match is not None and loaded.revision not in request.if_match:
        raise StaleVersion(loaded.revision)
