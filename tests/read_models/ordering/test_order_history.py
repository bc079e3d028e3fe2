"""An order's audit trail, and the order as it was: both from the stream, by the same decoding as everywhere."""

import pytest

from infrastructure.event_store import EventStore
from query_api.http.times import rfc3339
from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.bundled import CODEC
from tests.support.orders import CONFIRMED, CREATED, SHIPPED
from tests.support.served import Client
from tests.support.stream import Stream

CREATED_V1 = (
    b'{"order_id":"o-1","customer_id":"customer-1","currency":"USD",'
    b'"lines":[{"sku":"tea","quantity":2,"price":450},{"sku":"cup","quantity":1,"price":1000}],'
    b'"created_at":"2024-01-31T12:00:00Z"}'
)
"""An OrderCreated that an earlier release wrote: no schema version, no discounts, no totals."""


@pytest.fixture
def stream(events: EventStore) -> Stream:
    """The stream of order `o-1`."""
    return Stream(events, CODEC, "order-o-1")


async def test_history_says_what_when_who_and_why(api_with_events: Client, stream: Stream) -> None:
    placed = await stream.happened(CREATED, command_id="c-1", actor="ada", correlation_id="k-1", causation_id="c-1")
    confirmed = await stream.happened(CONFIRMED, command_id="c-2")

    reply = await api_with_events.get("/orders/o-1/history")

    history = reply.json
    assert history["stream"] == "order-o-1"
    assert "next" not in history
    first, second = history["items"]
    assert first["data"].pop("lines")[0] == {
        "sku": "apple",
        "quantity": 3,
        "unit_price": 50,
        "discount": 10,
        "total": 140,
    }
    assert first == {
        "type": "OrderCreated",
        "schema_version": 2,
        "revision": 0,
        "position": placed.position,
        "recorded_at": rfc3339(placed.recorded_at),
        "event_id": placed.id,
        "actor": "ada",
        "command_id": "c-1",
        "correlation_id": "k-1",
        "causation_id": "c-1",
        "data": {
            "order_id": "o-1",
            "customer_id": "customer-1",
            "currency": "USD",
            "item_count": 4,
            "total": CREATED.total,
            "ordered_at": "2026-03-14T12:00:00Z",
            "created_at": "2026-03-14T12:00:00Z",
        },
    }
    assert (second["revision"], second["position"], second["command_id"]) == (1, confirmed.position, "c-2")
    assert "actor" not in second
    assert (await api_with_events.get("/orders/o-1/history", {"If-None-Match": reply.headers["etag"]})).status == 304


async def test_history_shows_version_1_in_todays_shape(api_with_events: Client, stream: Stream) -> None:
    await stream.raw("OrderCreated", CREATED_V1)
    (event,) = (await api_with_events.get("/orders/o-1/history")).json["items"]
    assert event["schema_version"] == 1
    assert event["data"]["lines"][0] == {"sku": "tea", "quantity": 2, "unit_price": 450, "discount": 0, "total": 900}
    assert event["data"]["total"] == 1900
    assert event["data"]["ordered_at"] == "2024-01-31T12:00:00Z"


async def test_an_order_as_of_each_version(api_with_events: Client, stream: Stream) -> None:
    stored = [await stream.happened(event) for event in (CREATED, CONFIRMED, SHIPPED)]
    for version, status in enumerate(("pending", "confirmed", "shipped")):
        reply = await api_with_events.get(f"/orders/o-1?as_of={version}")
        assert (reply.json["status"], reply.json["version"]) == (status, version)
        assert reply.headers["etag"] == f'"{version}"'
        assert reply.headers["eventfold-position"] == str(stored[version].position)
        assert reply.json["placed_position"] == stored[0].position
    (await api_with_events.get("/orders/o-1?as_of=3")).refused(404, "version 3")


async def test_an_order_of_schema_version_1_is_folded_through_the_upcaster(
    api_with_events: Client, stream: Stream
) -> None:
    await stream.raw("OrderCreated", CREATED_V1)
    await stream.happened(CONFIRMED)
    order = (await api_with_events.get("/orders/o-1?as_of=1")).json
    assert (order["status"], order["total"], order["item_count"]) == ("confirmed", 1900, 3)
    assert order["ordered_at"] == "2024-01-31T12:00:00.000Z"
    assert order["lines"][1] == {"sku": "cup", "quantity": 1, "unit_price": 1000, "discount": 0, "total": 1000}


async def test_the_present_version_is_the_views_document(
    api_with_events: Client, stream: Stream, shelf: OrderShelf
) -> None:
    placed = await stream.happened(CREATED)
    await shelf.order(
        "o-1",
        placed.position,
        customer_id="customer-1",
        total=CREATED.total,
        item_count=4,
        lines=CREATED.lines,
        ordered_at=1_773_489_600_000,
        created_at=1_773_489_600_000,
        updated_at=1_773_489_600_000,
    )
    now, then = [await api_with_events.get(f"/orders/o-1{query}") for query in ("", "?as_of=0")]
    assert now.json == then.json
    assert now.headers == then.headers


async def test_an_order_that_never_was(api_with_events: Client) -> None:
    for path in ("/orders/o-2/history", "/orders/o-2?as_of=0", "/orders/o-2?as_of=2999-01-01T00:00:00Z"):
        (await api_with_events.get(path)).refused(404, "o-2")
    (await api_with_events.get("/orders/..%20/history")).refused(400, "order_id")
