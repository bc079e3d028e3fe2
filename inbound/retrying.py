"""Dead letters handled again: a key's in order, by one process at a time."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog
from msgspec import Struct

from inbound import metrics
from inbound.carrying_out import CarriesOut
from inbound.dead_letters import DeadLetterStore
from inbound.gates import Gate, Gates
from inbound.handling import carried_out, entry_of
from inbound.inbox import Inbox, Overtaken
from inbound.reading import Arrival, Reader, Unusable
from inbound.records import DeadLetterRecord, behind, failed_again, failure_of_message
from inbound.sources import Source
from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure
from infrastructure.resilience import DependencyUnavailable
from subscriptions.operating.replays import Outcome

log = structlog.get_logger(__name__)

_CLAIM_MILLISECONDS = 60_000
_NO_BODY = "its body was too large to be kept here: the broker's dead letter, or the source, may still have it"


class BeingRetried(Exception):
    """Somebody else is retrying the key at this moment."""


class SourceParts(Struct, frozen=True):
    """What it takes to handle messages of one source."""

    source: Source
    reader: Reader
    commands: CarriesOut

    def in_order(self, record: DeadLetterRecord) -> bool:
        """Whether others stand behind the dead letter, or it behind another."""
        return bool(record.key) and self.source.behind == "wait"


class _Again(Struct, frozen=True):
    """Why one is still a dead letter."""

    error: str
    cause: Failure


class Retrying:
    """Over the stores that all processes share. Methods raise what the store raises, and what stands for something that
    is away: what was handled until then stays so."""

    def __init__(self, inbox: Inbox, gates: Gates, dead_letters: DeadLetterStore) -> None:
        self._inbox = inbox
        self._gates = gates
        self._dead_letters = dead_letters

    async def some(self, parts: SourceParts, records: Iterable[DeadLetterRecord]) -> Outcome:
        """Handles dead letters, each with all of its key. A key that somebody else has in hand is left to them, and is
        among the errors."""
        outcomes: list[Outcome] = []
        keys: set[str] = set()
        for record in records:
            if parts.in_order(record) and record.key in keys:
                continue
            keys.add(record.key)
            try:
                outcomes.append(await self.one(parts, record))
            except (BeingRetried, Overtaken) as error:
                left = await self._dead_letters.count(record.consumer, record.key) if parts.in_order(record) else 1
                outcomes.append(Outcome(0, left, [str(error)]))
        return summed(outcomes)

    async def one(self, parts: SourceParts, record: DeadLetterRecord) -> Outcome:
        """Handles one dead letter, with all of its key. Raises BeingRetried, Overtaken."""
        if not parts.in_order(record):
            again = await self._once(parts, record)
            return Outcome(1, 0, []) if again is None else _left(0, 1, again)
        async with self._claimed(parts.source.name, record.key):
            return await self._in_order(parts, record.key)

    async def put_right(self, parts: SourceParts, record: DeadLetterRecord) -> Outcome:
        """For one that was left in a group where it is no longer: it gets the fingerprint of what it stands behind or,
        where that is gone, is handled. Raises as `one`."""
        leading = await self._dead_letters.leading(record.consumer, record.key)
        if leading is None or not leading.first:
            return await self.one(parts, record)
        async with self._claimed(parts.source.name, record.key):
            records = [one async for one in self._dead_letters.of_key(record.consumer, record.key)]
            if records and records[0].first:
                await self._mark(records[1:], records[0].cause)
        return Outcome(0, 0, [])

    async def _in_order(self, parts: SourceParts, key: str) -> Outcome:
        replayed = 0
        while True:
            # The gate before the records: whoever adds one after this changes it.
            gate = await self._gates.find(parts.source.name, key)
            records = [one async for one in self._dead_letters.of_key(parts.source.consumer, key)]
            if not records and await self._gates.change(gate, shut=False):
                return Outcome(replayed, 0, [])
            for index, record in enumerate(records):
                again = await self._once(parts, record)
                if again is not None:
                    await self._mark(records[index + 1 :], again.cause)
                    return _left(replayed, len(records) - index, again)
                replayed += 1

    async def _mark(self, following: Sequence[DeadLetterRecord], cause: Failure) -> None:
        """What stands behind another moves to that one's group."""
        for record in following:
            if record.first:
                return
            if record.fingerprint != cause.fingerprint:
                await self._dead_letters.replace(behind(record, cause))

    async def _once(self, parts: SourceParts, record: DeadLetterRecord) -> _Again | None:
        """Handles one; None when that is done."""
        message = await self._dead_letters.message(record)
        if message is None:
            known = await self._inbox.find(record.identity)
            if known is not None and known.is_final:
                # A process ended after it had removed the message, and before the record.
                await self._dead_letters.remove(record.identity)
                return None
            failure = Unusable("too-large", record.error, record.error_code, record.place)
            await self._dead_letters.replace(failed_again(record, failure, record.cause))
            return _Again(f"{record.name}: {_NO_BODY}", record.cause)
        arrival = parts.reader.arrival(message)
        entry = await self._inbox.find(arrival.id) or entry_of(parts.source, arrival)
        if not entry.is_final:
            try:
                entry = await carried_out(parts.reader, parts.commands, arrival, entry)
            except Unusable as failure:
                return await self._fails_again(record, arrival, failure)
            except DependencyUnavailable as error:
                if not error.alone:
                    raise  # it is away, which says nothing of the message
                return await self._fails_again(record, arrival, Unusable("no-answer", str(error)))
            await self._inbox.record(msgspec.structs.replace(entry, state="handled"))
            metrics.MESSAGES.labels(parts.source.consumer, "handled").inc()
        if arrival.id != record.identity:
            # It could not be read when it came, so it had another id; what comes again has that one still, or this.
            await self._inbox.record(
                msgspec.structs.replace(entry, identity=record.identity, state="handled", choices=[])
            )
        await self._dead_letters.remove(record.identity)
        log.info("a dead letter was handled", consumer=parts.source.consumer, message_id=record.identity)
        return None

    async def _fails_again(self, record: DeadLetterRecord, arrival: Arrival, failure: Unusable) -> _Again:
        cause = failure_of_message(arrival, failure)
        await self._dead_letters.replace(failed_again(record, failure, cause))
        log.warning(
            "a dead letter failed again",
            consumer=record.consumer,
            message_id=record.identity,
            error=str(failure),
            error_class=failure.error_class,
            fingerprint=cause.fingerprint,
        )
        return _Again(f"{record.name}: {failure.error_class}: {failure}", cause)

    @asynccontextmanager
    async def _claimed(self, source: str, key: str) -> AsyncIterator[None]:
        gate = await self._gates.find(source, key)
        now = now_millis()
        if gate.retried_until > now or not await self._claim(gate, now + _CLAIM_MILLISECONDS):
            raise BeingRetried(f"somebody is retrying the dead letters of {key[:100]!r} at this moment")
        try:
            yield
        finally:
            gate = await self._gates.find(source, key)
            if gate.retried_until:
                await self._gates.change(gate, shut=gate.shut)

    async def _claim(self, gate: Gate, until: int) -> bool:
        return await self._gates.change(gate, shut=True, retried_until=until)


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """What came of several."""
    return Outcome(
        sum(one.replayed for one in outcomes),
        sum(one.remaining for one in outcomes),
        [error for one in outcomes for error in one.errors],
        sorted({failure for one in outcomes for failure in one.failures}),
    )


def _left(replayed: int, remaining: int, again: _Again) -> Outcome:
    return Outcome(replayed, remaining, [again.error], [f"{again.cause.fingerprint} {again.cause.message}"])
