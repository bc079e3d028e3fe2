"""Lists of orders: all, of one status, of one customer; newest first."""

from typing import Any

from litestar.types import Scope
from msgspec import UNSET, Struct, UnsetType

from domain.ordering.order import Status
from infrastructure.read_store import Comparison
from infrastructure.read_store import Page as StorePage
from query_api.answers import Answer, weak
from query_api.checkpoints import Reached
from query_api.paging import CURSOR, LIMIT, Page, page_content, read_page
from query_api.parameters import AT_LEAST, Parameter, at_least, identifier, one_of
from query_api.route import Route, path_parameter
from query_api.shapes import Shape
from query_api.sources import Sources
from read_models.ordering.order_list import ORDER_LIST

STATUSES = tuple(status.value for status in Status)
_BY = "placed_position"
_SHAPE = Shape(ORDER_LIST)


class OrderPage(Struct):
    """A page of orders. `next` is the cursor of the page after it; it is absent on the last one."""

    items: list[_SHAPE.struct]  # type: ignore[name-defined]
    next: str | UnsetType = UNSET


async def list_orders(sources: Sources, scope: Scope, query: dict[str, str]) -> Answer:
    """A page of all orders, or of those with a status or of a customer."""
    where: dict[str, Any] = {}
    if "status" in query:
        where["status"] = one_of(query["status"], "status", STATUSES)
    if "customer_id" in query:
        where["customer_id"] = identifier(query["customer_id"], "customer_id")
    return await _answer_page(sources, scope, query, where)


async def list_customer_orders(sources: Sources, scope: Scope, query: dict[str, str]) -> Answer:
    """A page of one customer's orders."""
    where: dict[str, Any] = {"customer_id": identifier(path_parameter(scope, "customer_id"), "customer_id")}
    if "status" in query:
        where["status"] = one_of(query["status"], "status", STATUSES)
    return await _answer_page(sources, scope, query, where)


async def _answer_page(sources: Sources, scope: Scope, query: dict[str, str], where: dict[str, Any]) -> Answer:
    listed = repr(sorted(where.items()))
    page = read_page(query, listed)
    reached = await sources.live_with_position(ORDER_LIST, at_least(query))
    if reached is None:
        return weak(scope, {"items": []})
    rows = [_SHAPE.show(row) for row in await _read(reached, where, page)]
    return weak(scope, page_content(rows, page.limit, listed, _BY), reached.position)


async def _read(reached: Reached, where: dict[str, Any], page: Page) -> list[dict[str, Any]]:
    # While a batch is being written, a newer row may be there before an older one. Rows up to the checkpoint are all
    # there, so pages that begin at it and go down neither miss a row nor show one twice. Rows have the same number in
    # every build, so the next page may come from another one.
    bound = Comparison(at_most=reached.position) if page.below is None else Comparison(below=page.below)
    return await reached.live.rows(StorePage({**where, _BY: bound}, _BY, page.limit + 1, "descending"))


_STATUS = Parameter("status", "Only orders with this status", {"type": "string", "enum": list(STATUSES)})

ORDERS = Route(
    path="/orders",
    name="ListOrders",
    summary="Orders, newest first",
    respond=list_orders,
    answer=OrderPage,
    parameters=(_STATUS, Parameter("customer_id", "Only orders of this customer"), LIMIT, CURSOR, AT_LEAST),
)

ORDERS_OF_CUSTOMER = Route(
    path="/customers/{customer_id:str}/orders",
    name="ListCustomerOrders",
    summary="A customer's orders, newest first",
    respond=list_customer_orders,
    answer=OrderPage,
    parameters=(_STATUS, LIMIT, CURSOR, AT_LEAST),
)
