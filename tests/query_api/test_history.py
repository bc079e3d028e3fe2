"""An order's audit trail, and the order as it was: both from the stream, by the same decoding as everywhere."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.event_store import EventStore
from query_api.http.times import rfc3339
from tests.query_api.shelf import Shelf
from tests.query_api.stream import OrderStream
from tests.support.orders import CANCELLED, CONFIRMED, CREATED, SHIPPED
from tests.support.served import Client


@pytest.fixture
def stream(events: EventStore) -> OrderStream:
    return OrderStream(events)


async def test_history_says_what_when_who_and_why(api_with_events: Client, stream: OrderStream) -> None:
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


async def test_history_shows_version_1_in_todays_shape(api_with_events: Client, stream: OrderStream) -> None:
    await stream.created_v1()
    (event,) = (await api_with_events.get("/orders/o-1/history")).json["items"]
    assert event["schema_version"] == 1
    assert event["data"]["lines"][0] == {"sku": "tea", "quantity": 2, "unit_price": 450, "discount": 0, "total": 900}
    assert event["data"]["total"] == 1900
    assert event["data"]["ordered_at"] == "2024-01-31T12:00:00Z"


async def test_history_hides_nothing_that_it_cannot_read(api_with_events: Client, stream: OrderStream) -> None:
    await stream.happened(CREATED)
    await stream.raw("OrderBlessed", b'{"by": "the bishop"}')
    await stream.raw("OrderConfirmed", b'{"order_id": 7}')
    await stream.raw("OrderConfirmed", b"\xff\x00not json")
    await stream.raw("OrderCreated", b"{}", b'{"schemaVersion": 99}')
    await stream.raw("OrderShipped", b"{}", b"\xfe")
    await stream.raw("OrderCreated", b"{}", b'{"schemaVersion": 1}')

    items = (await api_with_events.get("/orders/o-1/history")).json["items"]

    assert [item["revision"] for item in items] == list(range(7))
    assert "error" not in items[0]
    unknown, wrong, binary, newer, metadata, not_liftable = items[1:]
    assert "OrderBlessed" in unknown["error"]
    assert unknown["stored_data"] == {"by": "the bishop"}
    assert "$.order_id" in wrong["error"]
    assert base64.b64decode(binary["stored_base64"]) == b"\xff\x00not json"
    assert "schema version 99" in newer["error"]
    assert "metadata" in metadata["error"]
    assert "upcasting failed" in not_liftable["error"]
    assert all("data" not in item for item in items[1:])


async def test_a_long_history_comes_in_pages(api_with_events: Client, stream: OrderStream) -> None:
    for event in (CREATED, CONFIRMED, CANCELLED):
        await stream.happened(event)
    first = (await api_with_events.get("/orders/o-1/history?limit=2")).json
    assert [item["revision"] for item in first["items"]] == [0, 1]
    last = (await api_with_events.get(f"/orders/o-1/history?limit=2&from={first['next']}")).json
    assert [item["type"] for item in last["items"]] == ["OrderCancelled"]
    assert "next" not in last
    (await api_with_events.get("/orders/o-1/history?from=3")).refused(404)


async def test_a_wrong_parameter_of_history_is_400(api: Client) -> None:
    for query in ("limit=0", "limit=1001", "from=-1", "from=x", "at_least=1", "as_of=1"):
        (await api.get(f"/orders/o-1/history?{query}")).refused(400, query.split("=")[0])


async def test_an_order_as_of_each_version(api_with_events: Client, stream: OrderStream) -> None:
    stored = [await stream.happened(event) for event in (CREATED, CONFIRMED, SHIPPED)]
    for version, status in enumerate(("pending", "confirmed", "shipped")):
        reply = await api_with_events.get(f"/orders/o-1?as_of={version}")
        assert (reply.json["status"], reply.json["version"]) == (status, version)
        assert reply.headers["etag"] == f'"{version}"'
        assert reply.headers["eventfold-position"] == str(stored[version].position)
        assert reply.json["placed_position"] == stored[0].position
    (await api_with_events.get("/orders/o-1?as_of=3")).refused(404, "version 3")


async def test_an_order_as_of_a_time_is_folded_that_far(api_with_events: Client, stream: OrderStream) -> None:
    stored = [await stream.happened(event) for event in (CREATED, CONFIRMED, CANCELLED)]

    async def status_at(moment: str) -> str:
        reply = await api_with_events.get(f"/orders/o-1?as_of={moment}")
        return "none" if reply.status == 404 else reply.json["status"]

    for event, before, since in zip(
        stored, ("none", "pending", "confirmed"), ("pending", "confirmed", "cancelled"), strict=True
    ):
        assert await status_at(rfc3339(event.recorded_at - 1)) == before
        assert await status_at(rfc3339(event.recorded_at)) == since
        assert await status_at(rfc3339(event.recorded_at + 1)) == since
    assert await status_at("2999-01-01T00:00:00Z") == "cancelled"


async def test_an_offset_names_the_same_moment(api_with_events: Client, stream: OrderStream) -> None:
    placed = await stream.happened(CREATED)
    moment = datetime.fromtimestamp(placed.recorded_at / 1000, UTC) + timedelta(hours=2)
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    for offset in ("%2B02:00", "+02:00"):
        assert (await api_with_events.get(f"/orders/o-1?as_of={text}{offset}")).status == 200
    assert (await api_with_events.get(f"/orders/o-1?as_of={text}%2B02:01")).status == 404


async def test_an_order_of_schema_version_1_is_folded_through_the_upcaster(
    api_with_events: Client, stream: OrderStream
) -> None:
    await stream.created_v1()
    await stream.happened(CONFIRMED)
    order = (await api_with_events.get("/orders/o-1?as_of=1")).json
    assert (order["status"], order["total"], order["item_count"]) == ("confirmed", 1900, 3)
    assert order["ordered_at"] == "2024-01-31T12:00:00.000Z"
    assert order["lines"][1] == {"sku": "cup", "quantity": 1, "unit_price": 1000, "discount": 0, "total": 1000}


async def test_the_present_version_is_the_views_document(
    api_with_events: Client, stream: OrderStream, shelf: Shelf
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


async def test_a_state_that_rests_on_an_unreadable_event_is_refused(
    api_with_events: Client, stream: OrderStream
) -> None:
    await stream.happened(CREATED)
    await stream.raw("OrderBlessed", b"{}")
    assert (await api_with_events.get("/orders/o-1?as_of=0")).status == 200
    (await api_with_events.get("/orders/o-1?as_of=1")).refused(500, "event 1 of order-o-1", "OrderBlessed")


async def test_a_moment_that_is_nonsense_is_400(api: Client) -> None:
    for moment in (
        "",
        "yesterday",
        "2026-03-14",
        "2026-03-14T12:00:00",
        "2026-03-14T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "12:00:00Z",
        "-1",
        "1.5",
        "9" * 30,
    ):
        (await api.get(f"/orders/o-1?as_of={moment}")).refused(400, "as_of")


async def test_an_order_that_never_was(api_with_events: Client) -> None:
    for path in ("/orders/o-2/history", "/orders/o-2?as_of=0", "/orders/o-2?as_of=2999-01-01T00:00:00Z"):
        (await api_with_events.get(path)).refused(404, "o-2")
    (await api_with_events.get("/orders/..%20/history")).refused(400, "order_id")


async def test_without_an_event_store_history_is_503_and_views_are_served(api: Client, shelf: Shelf) -> None:
    await shelf.order("o-1", 10)
    for path in ("/orders/o-1/history", "/orders/o-1?as_of=0"):
        reply = await api.get(path)
        reply.refused(503)
        assert reply.headers["retry-after"] == "1"
    assert (await api.get("/orders/o-1")).status == 200
