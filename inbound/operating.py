"""Retry and discard of dead letters by whichever process is asked: a key's in order, by one process at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog
from msgspec import Struct

from inbound import metrics
from inbound.carrying_out import CarriesOut
from inbound.dead_letters import DeadLetterRecord, DeadLetterStore
from inbound.gates import Gate, Gates
from inbound.handling import carried_out, entry_of
from inbound.inbox import Inbox, InboxEntry
from inbound.reading import Reader, Unusable, message_id
from inbound.sources import Source
from infrastructure.clock import now_millis
from infrastructure.inbound.messages import IncomingMessage
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter
from subscriptions.parking.parked_events import readable

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


class Outcome(Struct, frozen=True):
    """`replayed` are handled now; `remaining` are still dead letters of the keys asked for, because of `errors`."""

    replayed: int
    remaining: int
    errors: list[str]


class DeadLetterOperations:
    """Over the stores that all processes share. Methods raise what the store raises."""

    def __init__(self, parts: Sequence[SourceParts], inbox: Inbox, gates: Gates, dead_letters: DeadLetterStore) -> None:
        self._parts: Mapping[str, SourceParts] = {one.source.consumer: one for one in parts}
        self._inbox = inbox
        self._gates = gates
        self._dead_letters = dead_letters

    async def page(
        self, consumer: str | None, key: str | None, *, after: int, limit: int
    ) -> tuple[list[DeadLetterRecord], bool]:
        """At most about `limit` dead letters after a position (those at one stay together), and whether there are
        more."""
        page: list[DeadLetterRecord] = []
        async for record in self._dead_letters.all(consumer, key, after=after):
            if len(page) >= limit and record.position > page[-1].position:
                return page, True
            page.append(record)
        return page, False

    async def one(self, consumer: str, position: int) -> tuple[DeadLetterRecord, IncomingMessage | None]:
        """One dead letter and its message, None where that was not kept. Raises NoSuchDeadLetter."""
        record = await self._dead_letters.at(consumer, position)
        if record is None:
            raise NoSuchDeadLetter(f"no message at {position} is set aside for {consumer}")
        return record, await self._dead_letters.message(record)

    async def retry(self, consumer: str, key: str | None) -> Outcome:
        """Handles what is set aside of a source for a key, or for all.

        Raises NoSuchConsumer, NoSuchDeadLetter, BeingRetried, and what stands for something that is away.
        """
        parts = self._of(consumer)
        keys: dict[str, None] = {}
        async for record in self._dead_letters.all(consumer, key):
            keys.setdefault(record.key)
        if not keys:
            raise NoSuchDeadLetter(f"nothing of {consumer} is set aside" + (f" under {key}" if key else ""))
        outcomes = [await self._retry_key(parts, one) for one in keys]
        return Outcome(
            sum(one.replayed for one in outcomes),
            sum(one.remaining for one in outcomes),
            [error for one in outcomes for error in one.errors],
        )

    async def discard(self, consumer: str, position: int, reason: str, by: str) -> Outcome:
        """Leaves a message out for good, and retries what stood behind it. `reason` and `by` are kept.

        Raises NoSuchDeadLetter, BeingRetried, and what stands for something that is away.
        """
        record = await self._dead_letters.at(consumer, position)
        if record is None:
            raise NoSuchDeadLetter(f"no message at {position} is set aside for {consumer}")
        known = await self._inbox.find(record.identity)
        entry = known or InboxEntry(consumer.removeprefix("inbound_"), record.identity, "dead_letter", key=record.key)
        if not entry.is_final:
            await self._inbox.record(msgspec.structs.replace(entry, state="discarded", reason=reason, by=by))
        await self._dead_letters.remove(record.identity)
        log.warning(
            "a dead letter was discarded", consumer=consumer, message_id=record.identity, detail=reason, subject=by
        )
        parts = self._parts.get(consumer)
        if not record.key or parts is None or parts.source.behind != "wait":
            return Outcome(0, 0, [])
        return await self._retry_key(parts, record.key)

    async def entry(self, consumer: str, event_source: str, event_id: str) -> InboxEntry | None:
        """What came of a message, by what its sender says; None where nothing is known of it. Raises
        NoSuchConsumer."""
        return await self._inbox.find(message_id(self._of(consumer).source.name, event_source, event_id))

    def _of(self, consumer: str) -> SourceParts:
        if consumer not in self._parts:
            raise NoSuchConsumer(consumer, sorted(self._parts))
        return self._parts[consumer]

    async def _retry_key(self, parts: SourceParts, key: str) -> Outcome:
        if not key or parts.source.behind != "wait":
            records = [one async for one in self._dead_letters.of_key(parts.source.consumer, key)]
            errors = [error for record in records if (error := await self._once(parts, record))]
            return Outcome(len(records) - len(errors), len(errors), errors)
        async with self._claimed(parts.source.name, key):
            return await self._in_order(parts, key)

    async def _in_order(self, parts: SourceParts, key: str) -> Outcome:
        replayed = 0
        while True:
            # The gate before the records: whoever adds one after this changes it.
            gate = await self._gates.find(parts.source.name, key)
            records = [one async for one in self._dead_letters.of_key(parts.source.consumer, key)]
            if not records and await self._gates.change(gate, shut=False):
                return Outcome(replayed, 0, [])
            for index, record in enumerate(records):
                if error := await self._once(parts, record):
                    return Outcome(replayed, len(records) - index, [error])
                replayed += 1

    async def _once(self, parts: SourceParts, record: DeadLetterRecord) -> str:
        """Handles one; "" when that is done, else why it is still a dead letter."""
        message = await self._dead_letters.message(record)
        if message is None:
            return f"{record.origin.event_id or record.identity}: {_NO_BODY}"
        arrival = parts.reader.arrival(message)
        entry = await self._inbox.find(arrival.id) or entry_of(parts.source, arrival)
        if not entry.is_final:
            try:
                entry = await carried_out(parts.reader, parts.commands, arrival, entry)
            except Unusable as failure:
                await self._dead_letters.replace(_failed_again(record, failure))
                return f"{record.origin.event_id or record.identity}: {failure.error_class}: {failure}"
            await self._inbox.record(msgspec.structs.replace(entry, state="handled"))
            metrics.MESSAGES.labels(parts.source.consumer, "handled").inc()
        if arrival.id != record.identity:
            # It could not be read when it came, so it had another id; what comes again has that one still, or this.
            await self._inbox.record(
                msgspec.structs.replace(entry, identity=record.identity, state="handled", choices=[])
            )
        await self._dead_letters.remove(record.identity)
        log.info("a dead letter was handled", consumer=parts.source.consumer, message_id=record.identity)
        return ""

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


def _failed_again(record: DeadLetterRecord, failure: Unusable) -> DeadLetterRecord:
    return msgspec.structs.replace(
        record,
        first=1,
        error_class=failure.error_class,
        error_code=readable(failure.code)[:2_000],
        error=readable(str(failure))[:2_000],
        attempts=record.attempts + 1,
    )
