"""Orders over the command API, as its clients place them and move them on."""

import asyncio
import json
from typing import Any

import pytest

from tests.command_api.client import assert_problem, send, stream_of
from tests.support.services import BUNDLED

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINE: dict[str, Any] = {"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 10}
ORDER: dict[str, Any] = {"customer_id": "customer-1", "currency": "USD", "lines": [LINE]}


@pytest.fixture(scope="module")
def domain() -> str:
    return BUNDLED


async def test_an_order_goes_its_whole_way(api, http, order_id):
    placed = await send(http, "PUT", f"/orders/{order_id}", ORDER)
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
    events = await stream_of(api, f"order-{order_id}")
    assert [event.type for event in events] == ["OrderCreated", "OrderConfirmed", "OrderShipped", "OrderDelivered"]
    assert events[-1].position == done.json["position"]


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
    assert await stream_of(api, f"order-{order_id}") == []


async def test_a_lone_surrogate_is_refused_and_not_half_done(api, http, order_id):
    raw = json.dumps(with_line(sku="\ud800")).encode()
    refused = await send(http, "PUT", f"/orders/{order_id}", raw=raw)
    assert refused.status == 400
    assert await stream_of(api, f"order-{order_id}") == []


async def test_two_different_commands_race(api, http, order_id):
    await send(http, "PUT", f"/orders/{order_id}", ORDER)
    confirm = send(http, "POST", f"/orders/{order_id}/confirm")
    cancel = send(http, "POST", f"/orders/{order_id}/cancel", {"reason": "no"})
    confirmed, cancelled = await asyncio.gather(confirm, cancel)
    types = [event.type for event in await stream_of(api, f"order-{order_id}")]
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
