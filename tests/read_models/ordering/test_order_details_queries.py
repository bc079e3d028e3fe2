"""GET /orders/{order_id}: the document, its ETag, and what is refused."""

from read_models.ordering.order_details import ORDER_DETAILS
from read_models.ordering.order_list import ORDER_LIST
from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.served import Client
from tests.support.shelf import NOW, NOW_TEXT


async def test_an_order_is_shown_with_times_as_text_and_nothing_of_the_store(api: Client, shelf: OrderShelf) -> None:
    await shelf.order("o-1", 700, status="confirmed", version=1, confirmed_at=NOW + 877, placed_position=42)

    reply = await api.get("/orders/o-1")

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["etag"] == '"1"'
    assert reply.headers["eventfold-position"] == "700"
    assert reply.json == {
        "order_id": "o-1",
        "customer_id": "ada",
        "currency": "USD",
        "status": "confirmed",
        "total": 140,
        "item_count": 3,
        "lines": [{"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 10, "total": 140}],
        "ordered_at": NOW_TEXT,
        "created_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
        "version": 1,
        "placed_position": 42,
        "confirmed_at": "2026-03-14T12:00:01.000Z",
    }


async def test_numbers_beyond_32_bits_are_numbers_too(api: Client, shelf: OrderShelf) -> None:
    await shelf.order("o-1", 2**40, total=2**53, item_count=2**31, version=2**31)
    await shelf.rows(("o-1", 2**40))
    await shelf.checkpoint(ORDER_LIST, 2**62)

    order = await api.get("/orders/o-1")
    assert (order.json["total"], order.json["item_count"]) == (2**53, 2**31)
    assert order.headers["etag"] == f'"{2**31}"'
    assert (await api.get("/orders")).json["items"][0]["placed_position"] == 2**40


async def test_a_client_that_has_the_version_gets_304_and_another_one_the_order(api: Client, shelf: OrderShelf) -> None:
    await shelf.order("o-1", 700)

    for known in ('"0"', 'W/"0"', '"7", "0"', '"7",W/"0"', "*"):
        reply = await api.get("/orders/o-1", {"If-None-Match": known})
        assert (reply.status, reply.body) == (304, b""), known
        assert reply.headers["etag"] == '"0"'
        assert reply.headers["eventfold-position"] == "700"
        assert "content-length" not in reply.headers
    for known in ('"1"', "0", '"00"', ""):
        assert (await api.get("/orders/o-1", {"If-None-Match": known})).status == 200, known


async def test_an_unknown_order_is_404(api: Client) -> None:
    (await api.get("/orders/o-1")).refused(404, "there is no order o-1")


async def test_a_deleted_order_is_404(api: Client, shelf: OrderShelf) -> None:
    await shelf.deleted(ORDER_DETAILS, "o-1", 700)
    (await api.get("/orders/o-1")).refused(404)
    (await api.get("/orders/o-1?at_least=700")).refused(503)


async def test_an_unknown_or_repeated_parameter_is_400(api: Client) -> None:
    for query, said in (
        ("expand=1", "'expand'"),
        ("limit=1&x=2", "'limit', 'x'"),
        ("at_least=1&at_least=2", "more than once"),
        ("%ff=1", "query string"),
        ("&".join(f"a{n}=1" for n in range(30)), "query string"),
        ("at_least=1&as_of=1", "at_least can't be combined"),
    ):
        (await api.get(f"/orders/o-1?{query}")).refused(400, said)
