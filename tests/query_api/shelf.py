"""Writes documents and checkpoints as the projector does, so that queries have something to read."""

from typing import Any

import msgspec

from infrastructure.read_store import ReadStore, Write
from query_api.checkpoints import CHECKPOINTS
from read_models.customer_orders import CUSTOMER_ORDERS, CustomerOrder
from read_models.customer_summary import CUSTOMER_SUMMARY, CustomerSummary
from read_models.daily_sales import DAILY_SALES, DailySales
from read_models.order_details import ORDER_DETAILS, DetailLine, OrderDetails
from read_models.view import View
from read_models.views import VIEWS

PLACED_AT = 1_773_489_600_123
PLACED_AT_TEXT = "2026-03-14T12:00:00.123Z"


class Shelf:
    """The views' documents in one database."""

    def __init__(self, uri: str, database: str) -> None:
        self.store = ReadStore(uri, database)

    async def prepare(self) -> None:
        """Makes the views' indexes."""
        for view in VIEWS:
            await self.store.prepare(view.collection, view.document, view.indexes)

    async def order(self, order_id: str, position: int, **changes: Any) -> None:
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
        await self._write(ORDER_DETAILS, order_id, position, document)

    async def rows(self, *rows: tuple[str, int], customer_id: str = "ada", status: str = "pending") -> None:
        """Rows of the list of orders: id and position."""
        writes = []
        for order_id, position in rows:
            row = CustomerOrder(
                order_id, customer_id, status, "USD", 140, 3, PLACED_AT, PLACED_AT, PLACED_AT, 0, position
            )
            writes.append(Write(order_id, position, msgspec.to_builtins(row)))
        await self.store.write(CUSTOMER_ORDERS.collection, writes)

    async def customer(self, customer_id: str, position: int) -> None:
        """A customer's summary."""
        summary = CustomerSummary(customer_id, 3, 1, {"USD": 1900, "JPY": 0}, "o-3", PLACED_AT, PLACED_AT)
        await self._write(CUSTOMER_SUMMARY, customer_id, position, summary)

    async def day(self, day: int, position: int) -> None:
        """A day's figures; the number of orders is the day of the month."""
        text = f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"
        await self._write(DAILY_SALES, text, position, DailySales(day, day % 100, 1, {"USD": day}))

    async def deleted(self, view: View, key: str, position: int) -> None:
        """A document that was there once."""
        await self.store.write(view.collection, [Write(key, position, None)])

    async def checkpoint(self, view: View, position: int) -> None:
        """How far the view has come."""
        fields = {"view": view.name, "version": view.version, "updated_at": PLACED_AT}
        await self.store.write(CHECKPOINTS, [Write(view.collection, position, fields)])

    async def close(self) -> None:
        """Closes the connections."""
        await self.store.close()

    async def _write(self, view: View, key: str, position: int, document: msgspec.Struct) -> None:
        await self.store.write(view.collection, [Write(key, position, msgspec.to_builtins(document))])
