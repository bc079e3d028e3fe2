"""Dead letters for operators: listed, shown, retried and discarded, one by one or all of a key."""

from collections.abc import Mapping

import msgspec
import structlog

from inbound.dead_letters import DeadLetterStore
from inbound.inbox import Inbox, InboxEntry
from inbound.reading import message_id
from inbound.records import DeadLetterRecord
from inbound.retrying import Retrying, SourceParts, summed
from infrastructure.dead_letters.audit import DeadLetterAudit
from infrastructure.inbound.messages import IncomingMessage
from subscriptions.operating.audited import UNKNOWN, Asked, audited
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter, Outcome

log = structlog.get_logger(__name__)


class DeadLetterOperations:
    """Over the stores that all processes share. Methods raise what the store raises. `by` is who asks for a retry or a
    discard: it is in the `audit` before anything is done, and where it can't be, EventStoreUnavailable is raised and
    nothing is done."""

    def __init__(
        self,
        parts: Mapping[str, SourceParts],
        inbox: Inbox,
        dead_letters: DeadLetterStore,
        retrying: Retrying,
        audit: DeadLetterAudit,
    ) -> None:
        self._parts = parts
        self._inbox = inbox
        self._dead_letters = dead_letters
        self._retrying = retrying
        self._audit = audit

    async def page(
        self, consumer: str | None, key: str | None, *, after: int, limit: int, fault: int | None = None
    ) -> tuple[list[DeadLetterRecord], bool]:
        """At most about `limit` dead letters after a position (those at one stay together), and whether there are
        more. With a `fault`, those of its group that have it recorded."""
        page: list[DeadLetterRecord] = []
        async for record in self._dead_letters.all(consumer, key, fault, after=after):
            if len(page) >= limit and record.position > page[-1].position:
                return page, True
            page.append(record)
        return page, False

    async def one(self, consumer: str, position: int) -> tuple[DeadLetterRecord, IncomingMessage | None]:
        """One dead letter and its message, None where that was not kept. Raises NoSuchDeadLetter."""
        record = await self._at(consumer, position)
        return record, await self._dead_letters.message(record)

    async def retry(self, consumer: str, key: str | None, *, by: str = UNKNOWN, reason: str = "") -> Outcome:
        """Handles what is set aside of a source for a key, or for all.

        Raises NoSuchConsumer, NoSuchDeadLetter, BeingRetried, and what stands for something that is away.
        """
        parts = self._of(consumer)
        records = [one async for one in self._dead_letters.all(consumer, key)]
        if not records:
            raise NoSuchDeadLetter(f"nothing of {consumer} is set aside" + (f" under {key}" if key else ""))
        async with audited(self._audit, consumer, "retry", Asked(by, reason), records, key=key or "") as told:
            if key and parts.in_order(records[0]):
                return told.told(await self._retrying.one(parts, records[0]))
            return told.told(await self._retrying.some(parts, records))

    async def discard(self, consumer: str, position: int, reason: str, by: str = UNKNOWN) -> Outcome:
        """Leaves a message out for good, and retries what stood behind it. `reason` and `by` are kept.

        Raises NoSuchDeadLetter, BeingRetried, and what stands for something that is away.
        """
        record = await self._at(consumer, position)
        async with audited(self._audit, consumer, "discard", Asked(by, reason), [record]) as told:
            await self.leave_out(record, reason, by)
            told.discarded = 1
            parts = self._parts.get(consumer)
            later = Outcome(0, 0, [])
            if parts is not None and parts.in_order(record):
                later = await self._retrying.one(parts, record)
            told.told(summed([Outcome(1, 0, []), later]))
            return later

    async def leave_out(self, record: DeadLetterRecord, reason: str, by: str) -> None:
        """Makes a message one that is never handled."""
        known = await self._inbox.find(record.identity)
        source = record.consumer.removeprefix("inbound_")
        entry = known or InboxEntry(source, record.identity, "dead_letter", key=record.key)
        if not entry.is_final:
            await self._inbox.record(msgspec.structs.replace(entry, state="discarded", reason=reason, by=by))
        await self._dead_letters.remove(record.identity)
        log.warning(
            "a dead letter was discarded",
            consumer=record.consumer,
            message_id=record.identity,
            detail=reason,
            subject=by,
        )

    async def entry(self, consumer: str, event_source: str, event_id: str) -> InboxEntry | None:
        """What came of a message, by what its sender says; None where nothing is known of it. Raises
        NoSuchConsumer."""
        return await self._inbox.find(message_id(self._of(consumer).source.name, event_source, event_id))

    def _of(self, consumer: str) -> SourceParts:
        if consumer not in self._parts:
            raise NoSuchConsumer(consumer, sorted(self._parts))
        return self._parts[consumer]

    async def _at(self, consumer: str, position: int) -> DeadLetterRecord:
        record = await self._dead_letters.at(consumer, position)
        if record is None:
            raise NoSuchDeadLetter(f"no message at {position} is set aside for {consumer}")
        return record
