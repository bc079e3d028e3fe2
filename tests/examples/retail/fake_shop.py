"""A command API and a query API over plain dictionaries, for the loader and the demo's comparison.

The first `away` requests are answered 503 with Retry-After, and the first `lost` commands take effect and then lose
their answer.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from examples.retail.baskets.sample import read_sample
from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.figures import Figures
from examples.retail.reconciliation.observed import observed_figures
from infrastructure.http.client import ServiceClient

STATUS_AFTER = {"confirm": "confirmed", "ship": "shipped", "deliver": "delivered", "cancel": "cancelled"}
ALLOWED = {
    "confirm": {"pending"},
    "ship": {"confirmed"},
    "deliver": {"shipped"},
    "cancel": {"pending", "confirmed"},
}


class FakeShop:
    def __init__(self, *, away: int = 0, lost: int = 0) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.keys: Counter[str] = Counter()
        self.stock: Counter[str] = Counter()
        self.bodies: dict[str, Any] = {}
        self.away = away
        self.lost = lost
        self.url = ""
        self._answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self._positions = itertools.count(100, 100)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_put("/orders/{order_id}", self._command)
        app.router.add_post("/stock/{sku}/receive", self._receive)
        app.router.add_post("/orders/{order_id}/{command}", self._command)
        app.router.add_get("/orders", self._list)
        app.router.add_get("/orders/{order_id}", self._order)
        app.router.add_get("/customers/{customer_id}", self._customer)
        app.router.add_get("/daily-sales", self._daily_sales)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        if self.away:
            self.away -= 1
            return web.json_response({"title": "away"}, status=503, headers={"Retry-After": "0"})
        key, sku = request.headers["Idempotency-Key"], request.match_info["sku"]
        if self.keys[key] == 0:
            self.stock[sku] += (await request.json())["quantity"]
        self.keys[key] += 1
        return web.json_response({"stock_id": sku, "version": 1, "position": next(self._positions)})

    async def _command(self, request: web.Request) -> web.Response:
        if self.away:
            self.away -= 1
            return web.json_response({"title": "away"}, status=503, headers={"Retry-After": "0"})
        key = request.headers["Idempotency-Key"]
        self.keys[key] += 1
        if key not in self._answers:
            self.bodies[key] = await request.json()
            order_id = request.match_info["order_id"]
            command = request.match_info.get("command", "place")
            self._answers[key] = self._decide(order_id, command, self.bodies[key])
        if self.lost:
            self.lost -= 1
            assert request.transport is not None
            request.transport.abort()
        status, body = self._answers[key]
        headers = {"Eventfold-Position": str(body["position"])} if "position" in body else {}
        return web.json_response(body, status=status, headers=headers)

    def _decide(self, order_id: str, command: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if command == "place":
            return self._place(order_id, body)
        order = self.orders[order_id]
        if order["status"] not in ALLOWED[command]:
            return 409, {"title": "Conflict", "detail": f"can't {command} an order that is {order['status']}"}
        order["status"] = STATUS_AFTER[command]
        order["version"] += 1
        return 200, {"position": next(self._positions)}

    def _place(self, order_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        faults = [
            {"pointer": f"/lines/{index}/quantity", "detail": "must be 1 to 1000000, not 0"}
            for index, line in enumerate(body["lines"])
            if line["quantity"] == 0
        ]
        if faults:
            return 400, {"title": "Invalid command", "status": 400, "errors": faults}
        total = sum(line["quantity"] * line["unit_price"] - line["discount"] for line in body["lines"])
        self.orders[order_id] = {
            "order_id": order_id,
            "customer_id": body["customer_id"],
            "status": "pending",
            "total": total,
            "version": 0,
            "day": body["ordered_at"][:10],
        }
        return 201, {"position": next(self._positions)}

    async def _list(self, request: web.Request) -> web.Response:
        found = [order for order in self.orders.values() if order["status"] == request.query["status"]]
        start, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
        page: dict[str, Any] = {"items": found[start : start + limit]}
        if start + limit < len(found):
            page["next"] = str(start + limit)
        return web.json_response(page)

    async def _order(self, request: web.Request) -> web.Response:
        return web.json_response(self.orders[request.match_info["order_id"]])

    async def _customer(self, request: web.Request) -> web.Response:
        customer_id = request.match_info["customer_id"]
        found = [order for order in self.orders.values() if order["customer_id"] == customer_id]
        if not found:
            return web.json_response({"title": "Not found"}, status=404)
        return web.json_response(_sales(found, "spend"))

    async def _daily_sales(self, request: web.Request) -> web.Response:
        days = sorted({order["day"] for order in self.orders.values()})
        items = [
            {"day": day, **_sales([order for order in self.orders.values() if order["day"] == day], "revenue")}
            for day in days
            if request.query["from"] <= day <= request.query["to"]
        ]
        return web.json_response({"items": items})


def _sales(orders: list[dict[str, Any]], amount: str) -> dict[str, Any]:
    kept = [order["total"] for order in orders if order["status"] != "cancelled"]
    return {"orders": len(orders), "cancelled": len(orders) - len(kept), amount: {"USD": sum(kept)}}


@asynccontextmanager
async def open_shop(shop: FakeShop) -> AsyncIterator[ServiceClient]:
    """Serve the shop; yields a client of it."""
    async with TestServer(shop.app()) as server, ClientSession() as session:
        shop.url = str(server.make_url("")).rstrip("/")
        yield ServiceClient(shop.url, session, retry_timeout=20.0)


async def observed(client: ServiceClient, outcome: Outcome) -> Figures:
    """What the shop says after a load of the sample."""
    return await observed_figures(
        client,
        outcome.position,
        customers={basket.customer_id for basket in read_sample()},
        days=["2017-01-01", "2017-01-03"],
        refusals=outcome.refusals,
    )
