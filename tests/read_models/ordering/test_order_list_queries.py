"""Lists of orders: all, of one status, of one customer; newest first."""

from typing import Any

from read_models.ordering.order_list import ORDER_LIST
from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.served import Client
from tests.support.shelf import NOW_TEXT


def ids(page: Any) -> list[str]:
    return [item["order_id"] for item in page["items"]]


async def test_orders_come_newest_first_by_status_and_by_customer(api: Client, shelf: OrderShelf) -> None:
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


async def test_a_row_is_shown_whole_and_without_the_stores_fields(api: Client, shelf: OrderShelf) -> None:
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
                "ordered_at": NOW_TEXT,
                "created_at": NOW_TEXT,
                "updated_at": NOW_TEXT,
                "version": 0,
                "placed_position": 10,
            }
        ]
    }


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


async def test_a_cursor_fits_its_own_list_only(api: Client, shelf: OrderShelf) -> None:
    await shelf.rows(*((f"o-{number}", number) for number in range(1, 5)))
    await shelf.checkpoint(ORDER_LIST, 10)
    cursor = (await api.get("/orders?status=pending&limit=1")).json["next"]
    assert (await api.get(f"/orders?status=pending&limit=3&cursor={cursor}")).status == 200
    (await api.get(f"/orders?status=shipped&cursor={cursor}")).refused(400, "cursor")
    (await api.get(f"/orders?cursor={cursor}")).refused(400, "cursor")
