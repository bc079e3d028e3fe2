"""Orders, customers and days of sales for queries to read."""

from typing import Any

from read_models.ordering.customer_summary import CUSTOMER_SUMMARY, CustomerSummary
from read_models.ordering.daily_sales import DAILY_SALES, DailySales
from read_models.ordering.order_details import ORDER_DETAILS, DetailLine, OrderDetails
from read_models.ordering.order_list import ORDER_LIST, ListedOrder
from tests.support.bundled import VIEWS
from tests.support.shelf import NOW, Shelf


class OrderShelf(Shelf):
    """The documents of the order views."""

    def __init__(self, store: Any) -> None:
        super().__init__(store, VIEWS)

    async def order(self, order_id: str, position: int, **changes: Any) -> None:
        """An order's details as of a position."""
        fields = {
            "order_id": order_id,
            "customer_id": "ada",
            "currency": "USD",
            "status": "pending",
            "total": 140,
            "item_count": 3,
            "lines": [DetailLine("apple", 3, 50, 10, 140)],
            "ordered_at": NOW,
            "created_at": NOW,
            "updated_at": NOW,
            "version": 0,
            "placed_position": position,
        }
        await self.write(ORDER_DETAILS, [(order_id, position, OrderDetails(**{**fields, **changes}))])

    async def rows(self, *rows: tuple[str, int], customer_id: str = "ada", status: str = "pending") -> None:
        """Rows of the list of orders: id and position."""
        documents = [
            ListedOrder(order_id, customer_id, status, "USD", 140, 3, NOW, NOW, NOW, 0, position)
            for order_id, position in rows
        ]
        await self.write(ORDER_LIST, [(row.order_id, row.placed_position, row) for row in documents])

    async def customer(self, customer_id: str, position: int) -> None:
        """A customer's summary."""
        summary = CustomerSummary(customer_id, 3, 1, {"USD": 1900, "JPY": 0}, "o-3", NOW, NOW)
        await self.write(CUSTOMER_SUMMARY, [(customer_id, position, summary)])

    async def day(self, day: int, position: int) -> None:
        """A day's figures; the number of orders is the day of the month."""
        text = f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"
        await self.write(DAILY_SALES, [(text, position, DailySales(day, day % 100, 1, {"USD": day}))])
