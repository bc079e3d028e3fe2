"""The provider over HTTP: `/v1` for merchants, `/sandbox` for whoever tells it how to behave."""

import time

import msgspec
from aiohttp import web

from embedded.payment_provider.faults import PaymentFaults
from embedded.payment_provider.ledger import Ledger
from embedded.payment_provider.objects import ChargeRequest, RefundRequest
from embedded.payment_provider.rules import Rules
from embedded.sandbox.http import SESSION, answer, decode, encode, found, number, once, read
from embedded.sandbox.memory import PendingWebhook
from embedded.sandbox.webhooks import Webhooks

MAX_BODY_BYTES = 65_536
MAX_PAGE = 1_000


class Provider:
    """What the handlers share. `settle_after` is in seconds: how long a charge that settles later takes."""

    def __init__(self, ledger: Ledger, webhooks: Webhooks, rules: Rules, settle_after: float) -> None:
        self.rules = rules
        self.settle_after = settle_after
        self._ledger = ledger
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Those that are this provider's own."""
        return [
            web.post("/v1/charges", self._create_charge),
            web.get("/v1/charges", self._list_charges),
            web.get("/v1/charges/{id}", self._get_charge),
            web.post("/v1/refunds", self._create_refund),
            web.get("/v1/refunds/{id}", self._get_refund),
            web.get("/sandbox/rules", self._show_rules),
            web.put("/sandbox/rules", self._set_rules),
            web.get("/sandbox/status", self._status),
        ]

    async def _create_charge(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await read(request, ChargeRequest)
        now, faults = time.time(), self._webhooks.faults
        assert isinstance(faults, PaymentFaults)

        def act() -> bytes:
            taken = msgspec.structs.replace(asked, amount=asked.amount + faults.amount_off)
            outcome = self.rules.charge(asked.customer)
            return encode(self._ledger.add_charge(key, taken, outcome, now, now + self.settle_after))

        made = once(self._ledger, "charge", key, body, act)
        assert isinstance(made.body, bytes)
        charge = msgspec.json.decode(made.body)
        if faults.webhook_early and charge["status"] == "pending":
            await self._settle_early(request, charge["id"])
        return made

    async def _create_refund(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await read(request, RefundRequest)
        now = time.time()

        def act() -> bytes:
            charge = self._ledger.find_charge("id", asked.charge)
            outcome = self.rules.refund("" if charge is None else charge.customer)
            return encode(self._ledger.add_refund(asked, outcome, now, now + self.settle_after))

        return once(self._ledger, "refund", key, body, act)

    async def _settle_early(self, request: web.Request, charge: str) -> None:
        with self._ledger.transaction():
            if self._ledger.charge(charge).status != "pending":
                return
            event = self._ledger.settle_charge(charge, time.time())
        await self._webhooks.deliver_now(request.app[SESSION], PendingWebhook(event.id, encode(event), 0))

    async def _list_charges(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if "key" in query:
            charge = self._ledger.find_charge("key", query["key"])
            return found(charge, f"there is no charge with the key {query['key']}")
        after, limit = number(request, "after", 0, 2**62), number(request, "limit", 100, MAX_PAGE)
        return answer(self._ledger.page(after, max(1, limit), query.get("reference")))

    async def _get_charge(self, request: web.Request) -> web.StreamResponse:
        charge = request.match_info["id"]
        return found(self._ledger.find_charge("id", charge), f"there is no charge {charge}")

    async def _get_refund(self, request: web.Request) -> web.StreamResponse:
        refund = request.match_info["id"]
        return found(self._ledger.find_refund(refund), f"there is no refund {refund}")

    async def _show_rules(self, _request: web.Request) -> web.StreamResponse:
        return answer(self.rules)

    async def _set_rules(self, request: web.Request) -> web.StreamResponse:
        self.rules = decode(await request.read(), Rules)
        return answer(self.rules)

    async def _status(self, _request: web.Request) -> web.StreamResponse:
        return answer(self._ledger.counts())
