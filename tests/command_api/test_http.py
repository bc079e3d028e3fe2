"""The command API over real HTTP, on a real node: what clients send, and what they get."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from infrastructure.event_store import EventStore
from tests.support.services import node_uri

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINE: dict[str, Any] = {"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 10}
ORDER: dict[str, Any] = {"customer_id": "customer-1", "currency": "USD", "lines": [LINE]}


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.media_type = response.content_type
        self.json = json.loads(body) if body else None


async def send(http, method, path, body=None, raw=None, **headers) -> Answer:
    data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        named.setdefault("Content-Type", "application/json")
    async with http.request(method, path, data=data, headers=named) as response:
        return Answer(response, await response.read())


async def place(http, order_id, **headers) -> Answer:
    return await send(http, "PUT", f"/orders/{order_id}", ORDER, **headers)


async def stream_of(api, order_id):
    store = EventStore(node_uri(api.node.port))
    try:
        return await store.read_stream(f"order-{order_id}")
    finally:
        await store.close()


def assert_problem(answer, status, kind):
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.json
    assert answer.json["type"] == f"urn:eventfold:problem:{kind}"
    assert answer.json["status"] == status
    assert answer.json["title"]


async def test_an_order_goes_its_whole_way(api, http, order_id):
    placed = await place(http, order_id)
    assert placed.status == 201
    assert placed.json == {"order_id": order_id, "version": 0, "position": placed.json["position"]}
    assert placed.headers["ETag"] == '"0"'
    assert placed.headers["Eventfold-Position"] == str(placed.json["position"])
    assert placed.headers["Location"] == f"/orders/{order_id}"
    steps = {
        "confirm": None,
        "ship": {"carrier": "DHL", "tracking_number": "JD014600"},
        "deliver": {},
    }
    for version, (action, body) in enumerate(steps.items(), start=1):
        done = await send(http, "POST", f"/orders/{order_id}/{action}", body)
        assert (done.status, done.json["version"]) == (200, version)
    events = await stream_of(api, order_id)
    assert [event.type for event in events] == ["OrderCreated", "OrderConfirmed", "OrderShipped", "OrderDelivered"]
    assert events[-1].position == done.json["position"]


async def test_events_say_who_and_what_brought_them_about(api, http, order_id):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await place(
        http, order_id, Idempotency_Key="k-7", X_Correlation_ID="visit-9", Eventfold_Actor="ada", traceparent=trace
    )
    (event,) = await stream_of(api, order_id)
    metadata = json.loads(event.metadata)
    assert metadata.pop("commandHash")
    assert metadata == {
        "schemaVersion": 2,
        "commandId": "k-7",
        "$correlationId": "visit-9",
        "$causationId": "k-7",
        "actor": "ada",
        "traceparent": trace,
    }


async def test_the_server_names_an_order_that_the_client_does_not(api, http):
    one = await send(http, "POST", "/orders", ORDER)
    other = await send(http, "POST", "/orders", ORDER)
    assert one.status == other.status == 201
    assert one.json["order_id"] != other.json["order_id"]
    assert one.headers["Location"] == f"/orders/{one.json['order_id']}"


async def test_a_nameless_order_is_placed_once_under_one_key(api, http, order_id):
    one = await send(http, "POST", "/orders", ORDER, Idempotency_Key=order_id)
    again = await send(http, "POST", "/orders", ORDER, Idempotency_Key=order_id)
    assert (one.status, one.json) == (again.status, again.json)
    other = await send(http, "POST", "/orders", {**ORDER, "customer_id": "customer-2"}, Idempotency_Key=order_id)
    assert_problem(other, 422, "idempotency-key-reused")


def changed(**changes):
    return {**ORDER, **changes}


def with_line(**changes):
    return {**ORDER, "lines": [LINE, {**LINE, **changes}]}


def without(field):
    return {name: value for name, value in ORDER.items() if name != field}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (changed(colour="red"), "/colour"),
        (with_line(colour="red"), "/lines/1/colour"),
        (changed(customer_id=7), "/customer_id"),
        (with_line(quantity="3"), "/lines/1/quantity"),
        (with_line(quantity=1.5), "/lines/1/quantity"),
        (with_line(quantity=True), "/lines/1/quantity"),
        (changed(lines={}), "/lines"),
        (without("lines"), ""),
        (changed(lines=[]), "/lines"),
        (changed(lines=[LINE] * 501), "/lines"),
        (with_line(quantity=0), "/lines/1/quantity"),
        (with_line(quantity=10**30), "/lines/1/quantity"),
        (with_line(unit_price=-1), "/lines/1/unit_price"),
        (with_line(discount=151), "/lines/1/discount"),
        (changed(currency="XXX"), "/currency"),
        (with_line(quantity=2, unit_price=2**53), "/lines"),
        (changed(ordered_at="2026-01-01T00:00:00"), "/ordered_at"),
        (changed(ordered_at="yesterday"), "/ordered_at"),
        (changed(ordered_at="0001-01-01T00:00:00+14:00"), "/ordered_at"),
        (changed(customer_id="../../etc/passwd"), "/customer_id"),
        ([], ""),
        (None, ""),
    ],
)
async def test_a_wrong_body_is_refused_where_it_is_wrong(api, http, order_id, body, pointer):
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=json.dumps(body).encode())
    assert_problem(refused, 400, "invalid-command")
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert await stream_of(api, order_id) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"not json",
        b"\xff\xfe",
        b'{"customer_id": "\xff"}',
        b"[" * 100_000,
        b'{"lines":' * 20_000,
        b"{}{}",
        b"NaN",
    ],
    ids=["cut off", "text", "bytes", "bad utf-8", "deep", "deep objects", "two", "nan"],
)
async def test_what_is_no_json_is_refused(api, http, order_id, raw):
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=raw)
    assert refused.status == 400
    assert refused.media_type == "application/problem+json"


async def test_a_lone_surrogate_is_refused_and_not_half_done(api, http, order_id):
    raw = json.dumps(with_line(sku="\ud800")).encode()
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=raw)
    assert refused.status == 400
    assert await stream_of(api, order_id) == []


async def test_other_media_types_are_refused(api, http, order_id):
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=b"a=b", Content_Type="text/plain")
    assert_problem(refused, 415, "media-type")


async def test_a_body_above_the_limit_is_refused(api, http, order_id):
    big = json.dumps(changed(customer_id="x" * 300_000)).encode()
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=big)
    assert_problem(refused, 413, "too-large")


async def test_a_chunked_body_above_the_limit_is_refused(api, http, order_id):
    async def chunks():
        for _ in range(40):
            yield b" " * 10_000

    async with http.put(f"/orders/{order_id}", data=chunks(), headers={"Content-Type": "application/json"}) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "a%2fb",
        "a%5cb",
        "%00",
        "a%0ab",
        "a%20b",
        "$all",
        "%24streams",
        "x" * 65,
        "caf%C3%A9",
    ],
)
async def test_ids_with_path_tricks_are_refused(api, path):
    # A raw connection: a client library would tidy the path up first.
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    body = json.dumps(ORDER).encode()
    head = (
        f"PUT /orders/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in (400, 404, 405)


async def test_unknown_paths_and_methods_are_problems_too(http, order_id):
    assert_problem(await send(http, "GET", "/nothing"), 404, "not-found")
    assert_problem(await send(http, "PATCH", f"/orders/{order_id}"), 405, "method-not-allowed")
    assert_problem(await send(http, "POST", f"/orders/{order_id}/explode"), 404, "not-found")


async def test_an_unknown_order(api, http, order_id):
    assert_problem(await send(http, "POST", f"/orders/{order_id}/confirm"), 404, "not-found")


async def test_a_command_in_the_wrong_state(api, http, order_id):
    await place(http, order_id)
    refused = await send(http, "POST", f"/orders/{order_id}/deliver")
    assert_problem(refused, 409, "rule-violation")
    assert refused.json["code"] == "order-not-shipped"
    assert "pending" in refused.json["detail"]
    assert_problem(await place(http, order_id), 409, "rule-violation")
    assert len(await stream_of(api, order_id)) == 1


async def test_a_stale_if_match(api, http, order_id):
    await place(http, order_id)
    await send(http, "POST", f"/orders/{order_id}/confirm", If_Match='"0"')
    refused = await send(http, "POST", f"/orders/{order_id}/cancel", {"reason": "late"}, If_Match='"0"')
    assert_problem(refused, 412, "stale-version")
    assert refused.headers["ETag"] == '"1"'
    assert len(await stream_of(api, order_id)) == 2


@pytest.mark.parametrize("header", [{"If_Match": "0"}, {"Idempotency_Key": "a b"}, {"Idempotency_Key": "x" * 129}])
async def test_a_malformed_header(api, http, order_id, header):
    assert_problem(await place(http, order_id, **header), 400, "malformed-header")


async def test_a_reused_key(api, http, order_id):
    first = await place(http, order_id, Idempotency_Key="k1")
    again = await place(http, order_id, Idempotency_Key="k1")
    assert (again.status, again.json, again.headers["ETag"]) == (201, first.json, '"0"')
    other = await send(http, "PUT", f"/orders/{order_id}", changed(currency="EUR"), Idempotency_Key="k1")
    assert_problem(other, 422, "idempotency-key-reused")
    assert_problem(
        await send(http, "POST", f"/orders/{order_id}/confirm", Idempotency_Key="k1"), 422, "idempotency-key-reused"
    )
    assert len(await stream_of(api, order_id)) == 1


async def test_the_same_command_fifty_times_at_once_is_one_event(api, http, order_id):
    answers = await asyncio.gather(*(place(http, order_id, Idempotency_Key="k") for _ in range(50)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["position"] for answer in answers}) == 1
    assert len(await stream_of(api, order_id)) == 1


async def test_two_different_commands_race(api, http, order_id):
    await place(http, order_id)
    confirm = send(http, "POST", f"/orders/{order_id}/confirm")
    cancel = send(http, "POST", f"/orders/{order_id}/cancel", {"reason": "no"})
    confirmed, cancelled = await asyncio.gather(confirm, cancel)
    types = [event.type for event in await stream_of(api, order_id)]
    assert cancelled.status == 200
    if confirmed.status == 200:
        assert types == ["OrderCreated", "OrderConfirmed", "OrderCancelled"]
    else:
        assert_problem(confirmed, 409, "rule-violation")
        assert types == ["OrderCreated", "OrderCancelled"]


async def test_openapi_names_every_command(http):
    schema = (await send(http, "GET", "/schema/openapi.json")).json
    operations = {operation["operationId"] for path in schema["paths"].values() for operation in path.values()}
    assert {"PlaceOrder", "PlaceOrderUnnamed", "ConfirmOrder", "ShipOrder", "DeliverOrder", "CancelOrder"} <= operations
    body = schema["paths"]["/orders/{order_id}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["lines"]["maxItems"] == 500


async def test_metrics_count_commands(http, order_id):
    await place(http, order_id)
    async with http.get("/metrics") as response:
        text = await response.text()
    assert 'eventfold_commands_total{command="PlaceOrder",status="201"}' in text
    assert "eventfold_command_seconds_bucket" in text
