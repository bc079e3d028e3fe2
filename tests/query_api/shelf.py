"""Writes records, documents and checkpoints as the projector does, so that queries have something to read."""

from typing import Any

import msgspec

from infrastructure.checkpoints import CHECKPOINTS, Checkpoint, PartitionRef
from infrastructure.read_store import ReadStore, Write
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry
from infrastructure.view_registry.transitions import first_record, switched, with_candidate
from read_models.model.view import View
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY, CustomerSummary
from read_models.ordering.daily_sales import DAILY_SALES, DailySales
from read_models.ordering.order_details import ORDER_DETAILS, DetailLine, OrderDetails
from read_models.ordering.order_list import ORDER_LIST, ListedOrder
from tests.support.bundled import VIEWS

PLACED_AT = 1_773_489_600_123
PLACED_AT_TEXT = "2026-03-14T12:00:00.123Z"


class Shelf:
    """The views' documents in one database; what is written goes into the live build, unless a build is named."""

    def __init__(self, uri: str, database: str) -> None:
        self.store = ReadStore(uri, database)
        self.registry = ViewRegistry(self.store)
        self.records: dict[str, ViewRecord] = {}

    async def prepare(self) -> None:
        """Makes the views' first records and indexes."""
        for view in VIEWS:
            await self.save(first_record(view.name, view.version, 1, PLACED_AT))
            await self._indexes(view, self.live(view))

    async def save(self, record: ViewRecord) -> None:
        """Stores a record that follows from the one before."""
        assert await self.registry.save(record)
        self.records[record.view] = record

    def live(self, view: View) -> Build:
        """The build that queries are answered from."""
        return self.records[view.name].live

    async def rebuild(self, view: View) -> Build:
        """Begins a build beside the live one; it is empty."""
        await self.save(with_candidate(self.records[view.name], view.version, PLACED_AT))
        candidate = self.records[view.name].candidate
        assert candidate is not None
        await self._indexes(view, candidate)
        return candidate

    async def switch(self, view: View) -> None:
        """Serves that build from now on."""
        await self.save(switched(self.records[view.name], PLACED_AT, 600_000))

    async def order(self, order_id: str, position: int, *, build: Build | None = None, **changes: Any) -> None:
        """An order's details as of a position."""
        line = DetailLine("apple", 3, 50, 10, 140)
        fields = {
            "order_id": order_id,
            "customer_id": "ada",
            "currency": "USD",
            "status": "pending",
            "total": 140,
            "item_count": 3,
            "lines": [line],
            "ordered_at": PLACED_AT,
            "created_at": PLACED_AT,
            "updated_at": PLACED_AT,
            "version": 0,
            "placed_position": position,
        }
        document = OrderDetails(**{**fields, **changes})
        await self._write(ORDER_DETAILS, build, order_id, position, document)

    async def rows(
        self,
        *rows: tuple[str, int],
        customer_id: str = "ada",
        status: str = "pending",
        build: Build | None = None,
    ) -> None:
        """Rows of the list of orders: id and position."""
        writes = []
        for order_id, position in rows:
            row = ListedOrder(
                order_id, customer_id, status, "USD", 140, 3, PLACED_AT, PLACED_AT, PLACED_AT, 0, position
            )
            writes.append(Write(order_id, position, msgspec.to_builtins(row)))
        await self.store.write((build or self.live(ORDER_LIST)).collection, writes)

    async def customer(self, customer_id: str, position: int, build: Build | None = None) -> None:
        """A customer's summary."""
        summary = CustomerSummary(customer_id, 3, 1, {"USD": 1900, "JPY": 0}, "o-3", PLACED_AT, PLACED_AT)
        await self._write(CUSTOMER_SUMMARY, build, customer_id, position, summary)

    async def day(self, day: int, position: int, build: Build | None = None) -> None:
        """A day's figures; the number of orders is the day of the month."""
        text = f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"
        await self._write(DAILY_SALES, build, text, position, DailySales(day, day % 100, 1, {"USD": day}))

    async def deleted(self, view: View, key: str, position: int) -> None:
        """A document that was there once."""
        await self.store.write(self.live(view).collection, [Write(key, position, None)])

    async def checkpoint(
        self, view: View, position: int, partition: int | None = None, build: Build | None = None
    ) -> None:
        """How far a partition has come, or all of them."""
        record = self.records[view.name]
        build = build or record.live
        writes = []
        for number in range(record.partitions) if partition is None else [partition]:
            key = PartitionRef(record.target(build), number).key
            fields = Checkpoint(
                view.name, build.collection, build.version, record.partition_epoch, number, 0, "shelf", PLACED_AT
            )
            writes.append(Write(key, position, msgspec.to_builtins(fields)))
        await self.store.write(CHECKPOINTS, writes)

    async def close(self) -> None:
        """Closes the connections."""
        await self.store.close()

    async def _write(self, view: View, build: Build | None, key: str, position: int, document: msgspec.Struct) -> None:
        collection = (build or self.live(view)).collection
        await self.store.write(collection, [Write(key, position, msgspec.to_builtins(document))])

    async def _indexes(self, view: View, build: Build) -> None:
        await self.store.prepare(build.collection, view.document, view.indexes)
