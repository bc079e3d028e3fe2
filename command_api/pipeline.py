"""The command pipeline: load, decide, append, respond; decided again when another writer appended first."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from prometheus_client import Counter

from command_api.aggregates import Aggregates, CommandResult, LoadedAggregate
from command_api.requests import CommandRequest
from command_api.turns import Turn, Turns
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent, StreamDeleted, WrongExpectedRevision

_CONFLICTS = Counter("eventfold_command_conflicts_total", "Appends that met a newer stream and were decided again")

Clock = Callable[[], datetime]


class StaleVersion(Exception):
    """The aggregate is not at the version that the client named in If-Match; `revision` is the one it is at."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"it is at version {revision}")
        self.revision = revision


class KeyReused(Exception):
    """The Idempotency-Key has been used for another command on the same aggregate."""


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
        KeyStoreUnavailable, and what the event store raises.
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
            loaded = await self._aggregates.load(aggregate, request.aggregate_id)
        conflicts, may_create = 0, command_type.creates or command_type.may_create
        while True:
            if loaded.deleted and not may_create:
                raise StreamDeleted(stream)
            try:
                result = _earlier_result(loaded, request)
                if result is not None:
                    return result
                events = self._decide(aggregate, loaded, request)
            except (RuleViolation, NoSuchAggregate, StaleVersion):
                if loaded.read:
                    raise
                loaded = await self._aggregates.load(aggregate, request.aggregate_id)
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
            loaded = await self._aggregates.load(aggregate, request.aggregate_id)

    def _decide(self, aggregate: Aggregate, loaded: LoadedAggregate, request: CommandRequest) -> Sequence[Struct]:
        context = CommandContext(request.aggregate_id, self._clock())
        try:
            events = aggregate.decide(request.command, loaded.state, context)
        except RuleViolation:
            _require_version(loaded, request)
            raise
        _require_version(loaded, request)
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
        )
        encode = await self._codec.encoder(stream, events)
        new_events = [
            encode(event, metadata, event_id(stream, request.command_id, request.command_hash, index))
            for index, event in enumerate(events)
        ]
        appended = await self._store.append(stream, loaded.revision, new_events)
        result = CommandResult(appended.revision, appended.position, request.command_hash)
        if request.has_client_key:
            # The store may have recognised an earlier run of this command, whose events can have other times than
            # these: then only the stream can tell the state.
            if loaded.revision == NO_STREAM:
                await self._require_there(stream, appended.revision, new_events)
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
            ),
        )
        return result

    async def _require_there(self, stream: str, revision: int, events: Sequence[NewEvent]) -> None:
        """The store recognises a repeated creation even if its events have been deleted or cut off since; then nothing
        is written. Raises _NotThere."""
        found = await self._store.read_stream(stream, revision, 1)
        if not found or found[0].id != events[-1].id:
            raise _NotThere


def _earlier_result(loaded: LoadedAggregate, request: CommandRequest) -> CommandResult | None:
    """Also of a command without a key: its own append may have succeeded although the answer to it was lost."""
    result = loaded.results.get(request.command_id)
    if result is not None and result.command_hash != request.command_hash:
        raise KeyReused(f"Idempotency-Key {request.command_id} was used before with another command")
    return result


def _require_version(loaded: LoadedAggregate, request: CommandRequest) -> None:
    if request.if_match is not None and loaded.revision not in request.if_match:
        raise StaleVersion(loaded.revision)
