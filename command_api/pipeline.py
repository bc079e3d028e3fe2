"""The command pipeline: load, decide, append, respond; decided again when another writer appended first."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from prometheus_client import Counter

from command_api.aggregates import Aggregates, CommandResult, LoadedAggregate
from command_api.requests import CommandRequest
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import EventStore, WrongExpectedRevision

_CONFLICTS = Counter("eventfold_command_conflicts_total", "Appends that met a newer stream and were decided again")

Clock = Callable[[], datetime]


class StaleVersion(Exception):
    """The aggregate is not at the version that the client named in If-Match; `revision` is the one it is at."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"it is at version {revision}")
        self.revision = revision


class KeyReused(Exception):
    """The Idempotency-Key has been used for another command on the same aggregate."""


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

    async def handle(self, aggregate: Aggregate, command_type: CommandType, request: CommandRequest) -> CommandResult:
        """Carries the command out, or finds that it was carried out before; returns its result.

        Raises InvalidCommand, RuleViolation, NoSuchAggregate, StaleVersion, KeyReused or Contended, and what the
        event store raises.
        """
        stream = aggregate.stream(request.aggregate_id)
        loaded = self._aggregates.cached(stream)
        if loaded is None:
            # A creating command finds out when it appends whether the stream is new; a read before would not prove it.
            loaded = LoadedAggregate() if command_type.creates else await self._aggregates.load(aggregate, stream)
        conflicts = 0
        while True:
            try:
                result = _earlier_result(loaded, request)
                if result is not None:
                    return result
                events = self._decide(aggregate, loaded, request)
            except (RuleViolation, NoSuchAggregate, StaleVersion):
                if loaded.fresh:
                    raise
                loaded = await self._aggregates.load(aggregate, stream)
                continue
            try:
                return await self._append(aggregate, stream, loaded, request, events)
            except WrongExpectedRevision as conflict:
                conflicts += 1
                _CONFLICTS.inc()
                if conflicts > self._conflict_retries:
                    raise Contended(f"gave up after {conflicts} conflicts: {conflict}") from conflict
            if conflicts > 1:
                await asyncio.sleep(random.uniform(0, 0.01 * 2**conflicts))  # noqa: S311 - spreads writers out
            loaded = await self._aggregates.load(aggregate, stream)

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
        new_events = [
            self._codec.encode(event, metadata, event_id(stream, request.command_id, request.command_hash, index))
            for index, event in enumerate(events)
        ]
        appended = await self._store.append(stream, loaded.revision, new_events)
        result = CommandResult(appended.revision, appended.position, request.command_hash)
        # Under a client's key the store may have recognised an earlier run of this command, whose events can have other
        # times than these: then only the stream can tell the state.
        if not request.has_client_key:
            state = loaded.state
            for event in events:
                state = aggregate.evolve(state, event)
            results = {**loaded.results, request.command_id: result}
            self._aggregates.cache(stream, LoadedAggregate(state, appended.revision, results))
        return result


def _earlier_result(loaded: LoadedAggregate, request: CommandRequest) -> CommandResult | None:
    if not request.has_client_key:
        return None
    result = loaded.results.get(request.command_id)
    if result is not None and result.command_hash != request.command_hash:
        raise KeyReused(f"Idempotency-Key {request.command_id} was used before with another command")
    return result


def _require_version(loaded: LoadedAggregate, request: CommandRequest) -> None:
    if request.if_match is not None and loaded.revision not in request.if_match:
        raise StaleVersion(loaded.revision)
