"""Lists of orders: filters, order, pages, and that pages neither repeat nor miss a row while orders arrive."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from read_models.ordering.order_list import ORDER_LIST
from tests.query_api.shelf import PLACED_AT_TEXT, Shelf
from tests.support.served import Client


def ids(page: Any) -> list[str]:
    return [item["order_id"] for item in page["items"]]


async def test_orders_come_newest_first_by_status_and_by_customer(api: Client, shelf: Shelf) -> None:
    await shelf.rows(("a", 10), ("c", 30), ("b", 20))
    await shelf.rows(("d", 40), customer_id="bob")
    await shelf.rows(("e", 50), status="shipped")
    await shelf.checkpoint(ORDER_LIST, 60)

    assert ids((await api.get("/orders")).json) == ["e", "d", "c", "b", "a"]
    assert ids((await api.get("/orders?status=shipped")).json) == ["e"]
    assert ids((await api.get("/orders?customer_id=bob")).json) == ["d"]
    assert ids((await api.get("/orders?customer_id=ada&status=pending&limit=2")).json) == ["c", "b"]
    assert ids((await api.get("/customers/ada/orders")).json) == ["e", "c", "b", "a"]
    assert ids((await api.get("/customers/ada/orders?status=shipped")).json) == ["e"]
    assert (await api.get("/customers/nobody/orders")).json == {"items": []}


async def test_a_row_is_shown_whole_and_without_the_stores_fields(api: Client, shelf: Shelf) -> None:
    await shelf.rows(("a", 10))
    await shelf.checkpoint(ORDER_LIST, 15)

    reply = await api.get("/orders")

    assert reply.headers["eventfold-position"] == "15"
    assert reply.json == {
        "items": [
            {
                "order_id": "a",
                "customer_id": "ada",
                "status": "pending",
                "currency": "USD",
                "total": 140,
                "item_count": 3,
                "ordered_at": PLACED_AT_TEXT,
                "created_at": PLACED_AT_TEXT,
                "updated_at": PLACED_AT_TEXT,
                "version": 0,
                "placed_position": 10,
            }
        ]
    }


async def test_a_list_that_has_not_changed_is_304(api: Client, shelf: Shelf) -> None:
    await shelf.rows(("a", 10))
    await shelf.checkpoint(ORDER_LIST, 10)
    first = await api.get("/orders")
    assert first.headers["etag"].startswith('W/"')

    assert (await api.get("/orders", {"If-None-Match": first.headers["etag"]})).status == 304
    await shelf.rows(("b", 20))
    await shelf.checkpoint(ORDER_LIST, 20)
    assert (await api.get("/orders", {"If-None-Match": first.headers["etag"]})).status == 200


async def test_a_row_beyond_the_checkpoint_waits_for_those_before_it(api: Client, shelf: Shelf) -> None:
    assert (await api.get("/orders")).json == {"items": []}
    await shelf.rows(("a", 10), ("c", 30))
    assert (await api.get("/orders")).json == {"items": []}
    await shelf.checkpoint(ORDER_LIST, 10)
    assert ids((await api.get("/orders")).json) == ["a"]
    await shelf.rows(("b", 20))
    await shelf.checkpoint(ORDER_LIST, 30)
    assert ids((await api.get("/orders")).json) == ["c", "b", "a"]


async def test_the_last_page_has_no_next(api: Client, shelf: Shelf) -> None:
    await shelf.rows(*((f"o-{number}", number) for number in range(1, 7)))
    await shelf.checkpoint(ORDER_LIST, 10)

    first = (await api.get("/orders?limit=3")).json
    last = (await api.get(f"/orders?limit=3&cursor={first['next']}")).json

    assert ids(first) + ids(last) == ["o-6", "o-5", "o-4", "o-3", "o-2", "o-1"]
    assert "next" not in last


async def test_the_default_and_the_largest_page(api: Client, shelf: Shelf) -> None:
    await shelf.rows(*((f"o-{number}", number) for number in range(1, 251)))
    await shelf.checkpoint(ORDER_LIST, 250)
    assert len((await api.get("/orders")).json["items"]) == 50
    assert len((await api.get("/orders?limit=200")).json["items"]) == 200


async def test_a_wrong_parameter_is_400_and_named(api: Client) -> None:
    for query, said in (
        ("limit=0", "1 to 200"),
        ("limit=201", "1 to 200"),
        ("limit=-1", "1 to 200"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1e2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("status=open", "pending, confirmed, shipped, delivered, cancelled"),
        ("status=", "status"),
        ("status=Pending", "status"),
        ("customer_id=..%2f", "customer_id"),
        ("customer_id=", "customer_id"),
        ("sort=total", "'sort'"),
        ("at_least=soon", "at_least"),
        ("cursor=", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("cursor=%21%21", "cursor"),
        ("cursor=" + "A" * 16, "cursor"),
        ("cursor=" + "A" * 500, "cursor"),
        ("cursor=%C3%A9", "cursor"),
    ):
        (await api.get(f"/orders?{query}")).refused(400, said)


async def test_a_customers_list_is_of_that_customer_only(api: Client) -> None:
    (await api.get("/customers/ada/orders?customer_id=bob")).refused(400, "'customer_id'")
    (await api.get("/customers/..%20/orders")).refused(400, "customer_id")


async def test_a_cursor_fits_its_own_list_only(api: Client, shelf: Shelf) -> None:
    await shelf.rows(*((f"o-{number}", number) for number in range(1, 5)))
    await shelf.checkpoint(ORDER_LIST, 10)
    cursor = (await api.get("/orders?status=pending&limit=1")).json["next"]
    assert (await api.get(f"/orders?status=pending&limit=3&cursor={cursor}")).status == 200
    (await api.get(f"/orders?status=shipped&cursor={cursor}")).refused(400, "cursor")
    (await api.get(f"/orders?cursor={cursor}")).refused(400, "cursor")


STEPS = st.lists(st.one_of(st.just("turn"), st.integers(1, 7)), min_size=1, max_size=8)


class Log:
    """Positions that rise over the whole test."""

    positions = itertools.count(1)
    customers = itertools.count(1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.integers(0, 20), steps=STEPS, limit=st.integers(1, 9))
async def test_pages_neither_repeat_nor_miss_a_row_while_orders_arrive(
    api: Client, shelf: Shelf, before: int, steps: list[Any], limit: int
) -> None:
    customer = f"customer-{next(Log.customers)}"
    path = f"/customers/{customer}/orders?limit={limit}"

    async def arrive(count: int) -> list[str]:
        batch = [(f"o-{position}", position) for position in itertools.islice(Log.positions, count)]
        if batch:
            await shelf.rows(*reversed(batch), customer_id=customer)
            await shelf.checkpoint(ORDER_LIST, batch[-1][1])
        return [order_id for order_id, _ in reversed(batch)]

    expected = await arrive(before)
    page = (await api.get(path)).json
    seen = ids(page)
    for step in steps:
        if step == "turn" and "next" in page:
            page = (await api.get(f"{path}&cursor={page['next']}")).json
            seen += ids(page)
        elif step != "turn":
            await arrive(step)
    while "next" in page:
        page = (await api.get(f"{path}&cursor={page['next']}")).json
        seen += ids(page)
    assert seen == expected
