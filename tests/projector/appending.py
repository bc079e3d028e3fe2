"""Orders that are appended all the time, some of them with events that no view can fold."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.event_codec import EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, Appended, EventStore, NewEvent
from tests.support.bundled import CODEC
from tests.support.order_logs import CREATED_V1, cancelled, confirmed, created, delivered, shipped

UNREADABLE = [("OrderTeleported", b"{}"), ("OrderConfirmed", b'{"order_id": 7}'), ("OrderCreated", b"\xff\0")]


class Appender:
    """Appends one event after another. `prefix` begins the names of its orders and of a few of its customers.

    `poison` is the share of events that can't be read, and of orders that begin with what no view can fold. `last` is
    the position and the revision of each order's last event, `placed` are the orders by the position of their first.
    """

    def __init__(self, log: EventStore, choose: random.Random, prefix: str, *, poison: float = 0.01) -> None:
        self.appended = 0
        self.stopped = False
        self.last: dict[str, tuple[int, int]] = {}
        self.placed: list[str] = []
        self._log = log
        self._choose = choose
        self.prefix = prefix
        self._poison = poison
        self._orders: dict[str, list[Any]] = {}

    async def one(self) -> int:
        """Appends one event; its position."""
        choose = self._choose
        if not self._orders or choose.random() < 0.4:
            order = f"{self.prefix}-{self.appended}"
            events = self._history(order)
            self._orders[order] = events
        order = choose.choice(list(self._orders))
        if choose.random() < self._poison:
            kind, data = choose.choice(UNREADABLE)
            return await self._append(order, kind, data)
        event = self._orders[order].pop(0)
        if not self._orders[order]:
            del self._orders[order]
        return await self._append(order, *_encoded(event))

    async def history(self, orders: int) -> None:
        """Appends all events of so many orders."""
        for number in range(orders):
            order = f"{self.prefix}-h{number}"
            stream = f"order-{order}"
            events = [
                NewEvent(event_id(stream, str(revision), "", 0), *_encoded(event))
                for revision, event in enumerate(self._history(order))
            ]
            self._note(order, await self._log.append(stream, NO_STREAM, events))

    async def run(self) -> None:
        """Appends until it is told to stop, at some 200 events a second at most: as many as leave the processes room to
        start on two cores."""
        while not self.stopped:
            await self.one()
            await asyncio.sleep(0.005)

    def _history(self, order: str) -> list[Any]:
        choose = self._choose
        first = created(order, f"{self.prefix}-c{choose.randrange(20)}", choose.randrange(1, 999), choose.randrange(9))
        customer = first.customer_id
        if choose.random() < self._poison:
            # Nothing was created: the documents of the order can't be folded, and whatever follows stands behind it.
            return [confirmed(order, customer), first, shipped(order, customer)]
        if choose.random() < 0.05:
            return [CREATED_V1 % order.encode(), confirmed(order), shipped(order)]
        if choose.random() < 0.2:
            return [first, cancelled(first)]
        return [first, confirmed(order, customer), shipped(order, customer), delivered(order, customer)]

    async def _append(self, order: str, kind: str, data: bytes, metadata: bytes = b"") -> int:
        stream = f"order-{order}"
        _, revision = self.last.get(order, (0, NO_STREAM))
        new = NewEvent(event_id(stream, str(revision), "", 0), kind, data, metadata)
        return self._note(order, await self._log.append(stream, revision, [new]))

    def _note(self, order: str, appended: Appended) -> int:
        if order not in self.last:
            self.placed.append(order)
        self.last[order] = (appended.position, appended.revision)
        self.appended += 1
        return appended.position


def _encoded(event: Any) -> tuple[str, bytes, bytes]:
    if isinstance(event, bytes):
        return "OrderCreated", event, b""
    new = CODEC.encode(event, EventMetadata(), "")
    return new.type, new.data, new.metadata


@asynccontextmanager
async def appending(
    log: EventStore, choose: random.Random, prefix: str, *, history: int = 0, **options: float
) -> AsyncIterator[Appender]:
    """An appender at work for the block, which has appended a history of so many orders before it."""
    appender = Appender(log, choose, prefix, **options)
    await appender.history(history)
    task = asyncio.create_task(appender.run())
    try:
        yield appender
    finally:
        # Not cancelled: an append that nobody waits for any more may still come to the log later.
        appender.stopped = True
        await task
