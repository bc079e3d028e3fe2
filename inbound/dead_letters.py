"""Dead letters as they are stored, until they are retried or discarded: a record each, and the message itself apart."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from inbound.records import INDEXES, DeadLetterRecord
from infrastructure.dead_letters.groups import Groups
from infrastructure.inbound.messages import IncomingMessage
from infrastructure.read_store import Page, Write
from subscriptions.parking.parked_events import readable
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "inbound_dead_letters"
BODIES = "inbound_dead_letter_bodies"


class _Body(Struct, frozen=True):
    """The message as it came; `body` is base64, `headers` a JSON object."""

    body: str
    headers: str
    header_fault: str
    content_type: str
    broker_key: str


class DeadLetterStore:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self.groups = Groups(store, COLLECTION, "consumer")

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

    async def leading(self, consumer: str, key: str) -> DeadLetterRecord | None:
        """The first of a key, which the others stand behind; None where it has none."""
        found = await self._store.page(COLLECTION, Page({"consumer": consumer, "key": key}, "number", 1))
        return msgspec.convert(found[0][1].fields, DeadLetterRecord) if found else None

    async def all(
        self, consumer: str | None, key: str | None = None, fault: int | None = None, *, after: int = -1
    ) -> AsyncIterator[DeadLetterRecord]:
        """Those of a consumer, of a key and of a group that have it recorded (or all), the oldest first."""
        given: dict[str, Any] = {"consumer": consumer, "key": key, "fault": fault}
        where = {name: value for name, value in given.items() if value is not None}
        async for fields in scan_pages(self._store, COLLECTION, where, by="position", after=after):
            yield msgspec.convert(fields, DeadLetterRecord)

    async def at(self, consumer: str, position: int) -> DeadLetterRecord | None:
        """The one at a position."""
        found = await self._store.page(COLLECTION, Page({"consumer": consumer, "position": position}, "position", 1))
        return msgspec.convert(found[0][1].fields, DeadLetterRecord) if found else None

    async def count(self, consumer: str, key: str | None = None) -> int:
        """How many the consumer has, or one of its keys."""
        where = {"consumer": consumer} if key is None else {"consumer": consumer, "key": key}
        return await self._store.count(COLLECTION, where)
