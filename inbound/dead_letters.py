"""Dead letters as they are stored, until they are retried or discarded: a record each, and the message itself apart."""

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from inbound.reading import Arrival, Unusable
from inbound.sources import Source
from infrastructure.clock import now_millis
from infrastructure.inbound.messages import IncomingMessage
from infrastructure.read_store import Page, Write
from subscriptions.parking.parked_events import readable
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "inbound_dead_letters"
BODIES = "inbound_dead_letter_bodies"
_LONGEST_TEXT = 2_000


class Origin(Struct, frozen=True):
    """Where a message is from; `queue_partition` and `queue_offset` are -1 for none. `received_at` is when it was sent,
    in epoch milliseconds; `size` is in bytes."""

    event_source: str
    event_id: str
    event_type: str
    queue: str
    queue_partition: int
    queue_offset: int
    received_at: int
    size: int


class DeadLetterRecord(Struct, frozen=True):
    """`number` orders those of one key, `position` all of them (microseconds, with two bits more). `first` is 1 for one
    that failed itself, 0 for one behind such. `has_body` is 0 where the body is too large to be kept. `parked_at` is
    when it was set aside, in epoch milliseconds."""

    consumer: str
    identity: str
    key: str
    number: int
    position: int
    first: int
    error_class: str
    error_code: str
    error: str
    origin: Origin
    parked_at: int
    attempts: int
    has_body: int


class _Body(Struct, frozen=True):
    """The message as it came; `body` is base64, `headers` a JSON object."""

    body: str
    headers: str
    header_fault: str
    content_type: str
    broker_key: str


INDEXES = (
    ("position",),
    ("consumer", "position"),
    ("consumer", "key", "number"),
    ("consumer", "key", "position"),
)


class DeadLetterStore:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that dead letters can be stored."""
        await self._store.prepare(COLLECTION, DeadLetterRecord, INDEXES)
        await self._store.prepare(BODIES, _Body, ())

    async def put(self, record: DeadLetterRecord, message: IncomingMessage) -> None:
        """Stores a dead letter; one that has a higher number already stays."""
        if record.has_body:
            body = _Body(
                base64.b64encode(message.body).decode(),
                readable(msgspec.json.encode(dict(message.headers))),
                readable(message.header_fault),
                readable(message.content_type),
                readable(message.key),
            )
            await self._store.write(BODIES, [Write(record.identity, record.number, msgspec.to_builtins(body))])
        await self.update(record)

    async def update(self, record: DeadLetterRecord) -> None:
        """Stores what is known now of a dead letter."""
        await self._store.write(COLLECTION, [Write(record.identity, record.number, msgspec.to_builtins(record))])

    async def replace(self, record: DeadLetterRecord) -> None:
        """Stores what a retry found, unless the record has changed or is gone."""
        write = Write(record.identity, record.number, msgspec.to_builtins(record))
        await self._store.replace_exactly(COLLECTION, write, record.number)

    async def remove(self, identity: str) -> None:
        """Removes a dead letter, its message first."""
        await self._store.delete(BODIES, identity)
        await self._store.delete(COLLECTION, identity)

    async def message(self, record: DeadLetterRecord) -> IncomingMessage | None:
        """The message as it came; None where its body was not kept."""
        found = (await self._store.load(BODIES, [record.identity])).get(record.identity)
        if found is None or found.fields is None:
            return None
        body = msgspec.convert(found.fields, _Body)
        return IncomingMessage(
            queue=record.origin.queue,
            body=base64.b64decode(body.body),
            headers=msgspec.json.decode(body.headers, type=dict[str, str]),
            content_type=body.content_type,
            key=body.broker_key,
            partition=record.origin.queue_partition,
            offset=record.origin.queue_offset,
            at=record.origin.received_at,
            header_fault=body.header_fault,
        )

    async def of_key(self, consumer: str, key: str) -> AsyncIterator[DeadLetterRecord]:
        """Those of one key, in its order."""
        async for fields in scan_pages(self._store, COLLECTION, {"consumer": consumer, "key": key}, by="number"):
            yield msgspec.convert(fields, DeadLetterRecord)

    async def has_any(self, consumer: str, key: str) -> bool:
        """Whether the key has any."""
        return bool(await self._store.page(COLLECTION, Page({"consumer": consumer, "key": key}, "number", 1)))

    async def all(
        self, consumer: str | None, key: str | None = None, *, after: int = -1
    ) -> AsyncIterator[DeadLetterRecord]:
        """Those of a consumer and of a key, or all, the oldest first."""
        where: dict[str, Any] = {} if consumer is None else {"consumer": consumer}
        if key is not None:
            where["key"] = key
        async for fields in scan_pages(self._store, COLLECTION, where, by="position", after=after):
            yield msgspec.convert(fields, DeadLetterRecord)

    async def at(self, consumer: str, position: int) -> DeadLetterRecord | None:
        """The one at a position."""
        found = await self._store.page(COLLECTION, Page({"consumer": consumer, "position": position}, "position", 1))
        return msgspec.convert(found[0][1].fields, DeadLetterRecord) if found else None

    async def count(self, consumer: str) -> int:
        """How many the consumer has."""
        return await self._store.count(COLLECTION, {"consumer": consumer})


def dead_letter(
    source: Source, arrival: Arrival, failure: Unusable, *, first: bool, number: int, attempts: int
) -> DeadLetterRecord:
    """The record of a message that is set aside."""
    message, event = arrival.message, arrival.event
    return DeadLetterRecord(
        consumer=source.consumer,
        identity=arrival.id,
        key=readable(arrival.key),
        number=number,
        position=(time.time_ns() // 1_000) * 4 + (int(arrival.id[:2], 16) & 3),
        first=int(first),
        error_class=failure.error_class,
        error_code=readable(failure.code)[:_LONGEST_TEXT],
        error=readable(str(failure))[:_LONGEST_TEXT],
        origin=Origin(
            event_source=readable(event.source) if event else "",
            event_id=readable(event.id) if event else "",
            event_type=readable(event.type) if event else "",
            queue=message.queue,
            queue_partition=message.partition,
            queue_offset=message.offset,
            received_at=message.at,
            size=len(message.body),
        ),
        parked_at=now_millis(),
        attempts=attempts,
        has_body=int(failure.error_class != "too-large"),
    )
