"""All that is held of a customer, from where it is held: the log, the views, what consumers remember.

An event concerns a customer when it names the customer or has a personal field of the customer; so do all others of the
stream that such an event stands in, and those of the streams of the same order: its payment, its notifications, its
process.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from application import APPLICATION
from application.notifying.recipients import COLLECTION as RECIPIENTS
from domain.customers.events import CUSTOMER
from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.model.personal import personal_fields
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore, StoredEvent
from infrastructure.personal_data import PersonalKeys, personal_keys
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from infrastructure.view_registry import ViewRegistry


class HeldEvent(Struct, omit_defaults=True):
    """An event as it can be read now; `data` is as it is stored where it can't be."""

    stream: str
    revision: int
    position: int
    type: str
    recorded_at: datetime
    data: Any
    error: str = ""


class HeldDocument(Struct):
    """A document of the read store."""

    collection: str
    key: str
    fields: dict[str, Any]


class Held(Struct):
    """`key` says whether what is personal can still be read: none, present or destroyed."""

    customer_id: str
    exported_at: datetime
    key: str
    events: list[HeldEvent]
    views: list[HeldDocument]
    remembered: list[HeldDocument]


async def export(customer: str, settings: Settings) -> Held:
    """Raises what the stores raise: nothing is left out because a store is away."""
    log, store, keys = EventStore.from_settings(settings), ReadStore.from_settings(settings), personal_keys(settings)
    try:
        events = _Concerning(customer)
        await events.read(log, keys)
        newest = await keys.store.newest(f"{CUSTOMER}/{customer}")
        key = "none" if newest is None else "destroyed" if newest.is_destroyed else "present"
        remembered = await _documents(store, RECIPIENTS, customer, frozenset())
        views: list[HeldDocument] = []
        for view in await ViewRegistry(store).load([one.name for one in APPLICATION.views]):
            record = (await ViewRegistry(store).load([view]))[view]
            views += await _documents(store, record.live.collection, customer, events.orders)
        return Held(customer, datetime.now(UTC), key, events.found, views, remembered)
    finally:
        await log.close()
        await store.close()
        await keys.close()


async def _documents(store: ReadStore, collection: str, customer: str, orders: frozenset[str]) -> list[HeldDocument]:
    return [
        HeldDocument(collection, key, document.fields)
        async for key, document in store.scan(collection)
        if document.fields is not None
        and (
            document.fields.get("customer_id") == customer
            or ("customer_id" not in document.fields and document.fields.get("order_id", key) in orders)
        )
    ]


class _Concerning:
    """The events of the log that concern a customer, and the customer's orders."""

    def __init__(self, customer: str) -> None:
        self.found: list[HeldEvent] = []
        self._customer = customer
        self._streams: set[str] = set()
        self._orders: set[str] = set()

    @property
    def orders(self) -> frozenset[str]:
        return frozenset(self._orders)

    async def read(self, log: EventStore, keys: PersonalKeys) -> None:
        codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
        async for stored in log.read_all():
            if not codec.is_ours(stored):
                continue
            event: Struct | None = None
            error = ""
            try:
                event = (await codec.decoder((stored,)))(stored).event
            except (UnknownEventType, UndecodableEvent) as fault:
                error = str(fault)
            if self._concerns(stored, event):
                self.found.append(_held(stored, event, error))

    def _concerns(self, stored: StoredEvent, event: Struct | None) -> bool:
        category, _, name = stored.stream.partition("-")
        if stored.stream == f"{CUSTOMER}-{self._customer}" or (event is not None and self._names(event)):
            self._streams.add(stored.stream)
            if category == "order":
                self._orders.add(name)
        return stored.stream in self._streams or name in self._orders

    def _names(self, event: Struct) -> bool:
        if getattr(event, "customer_id", None) == self._customer:
            return True
        names = {one.encode_name: one.name for one in msgspec.structs.fields(event)}
        return any(
            mark.subject == CUSTOMER and getattr(event, names[mark.by]) == self._customer
            for mark in personal_fields(type(event)).values()
        )


def _held(stored: StoredEvent, event: Struct | None, error: str) -> HeldEvent:
    if event is not None:
        data: Any = msgspec.to_builtins(event)
    else:
        data = stored.data.decode("utf-8", "backslashreplace")
    at = datetime.fromtimestamp(stored.recorded_at / 1000, UTC)
    return HeldEvent(stored.stream, stored.revision, stored.position, stored.type, at, data, error)
