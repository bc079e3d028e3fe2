"""The command pipeline: load, decide, append, respond; decided again when another writer appended first.

What is not the sender's is to them as if it were not there.
"""

import asyncio
import random

from msgspec.structs import replace
from prometheus_client import Counter

from command_api.aggregates import Aggregates, CommandResult, LoadedAggregate
from command_api.appending import Appender, Clock, NotThere
from command_api.deciding import StaleVersion, decided, refuse_as_missing
from command_api.ownership import is_foreign
from command_api.repetitions import REPEATED, earlier_result, unscoped_result
from command_api.requests import CommandRequest
from command_api.turns import Turn, Turns
from domain.model.aggregate import Aggregate, CommandType
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.model.event_types import UndecodableEvent, UnknownEventType
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import NO_STREAM, EventStore, StreamDeleted, WrongExpectedRevision

_CONFLICTS = Counter("eventfold_command_conflicts_total", "Appends that met a newer stream and were decided again")


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
        self._appender = Appender(store, codec, aggregates, clock)
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
                    refuse_as_missing(aggregate, request, self._clock())
                raise StreamDeleted(stream)
            if is_foreign(aggregate, loaded.state, request):
                if not command_type.creates:
                    refuse_as_missing(aggregate, request, self._clock())
                # That the id is taken can't be hidden, but no version and no result is shown.
                loaded = replace(loaded, revision=NO_STREAM, results={}, read=True)
            try:
                result = earlier_result(loaded, request)
                if result is not None:
                    REPEATED.inc()
                    return result
                events = decided(aggregate, loaded, request, self._clock())
            except (RuleViolation, NoSuchAggregate, StaleVersion):
                if loaded.read:
                    raise
                loaded = await self._load(aggregate, request)
                continue
            try:
                return await self._appender.append(aggregate, stream, loaded, request, events)
            except NotThere:
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
                refuse_as_missing(aggregate, request, self._clock())
            raise
