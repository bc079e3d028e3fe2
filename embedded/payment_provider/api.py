"""The provider over HTTP: `/v1` for merchants, `/sandbox` for whoever tells it how to behave."""

import asyncio
import hmac
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from embedded.payment_provider.faults import AFTER_THE_WORK, Faults
from embedded.payment_provider.ledger import KeyReused, Ledger, PendingWebhook, Refused
from embedded.payment_provider.objects import ChargeRequest, RefundRequest
from embedded.payment_provider.rules import Rules
from embedded.payment_provider.webhooks import Webhooks

MAX_BODY_BYTES = 65_536
MAX_PAGE = 1_000

_S = TypeVar("_S", bound=Struct)
_encode = msgspec.json.encode


class Provider:
    """What the handlers share. `settle_after` is in seconds: how long a charge that settles later takes."""

    def __init__(
        self, ledger: Ledger, webhooks: Webhooks, key: str, rules: Rules, settle_after: float, choose: random.Random
    ) -> None:
        self.rules = rules
        self.settle_after = settle_after
        self._ledger = ledger
        self._webhooks = webhooks
        self._key = key
        self._choose = choose

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        return [
            web.post("/v1/charges", self._create_charge),
            web.get("/v1/charges", self._list_charges),
            web.get("/v1/charges/{id}", self._get_charge),
            web.post("/v1/refunds", self._create_refund),
            web.get("/v1/refunds/{id}", self._get_refund),
            web.get("/sandbox/faults", self._show_faults),
            web.put("/sandbox/faults", self._set_faults),
            web.get("/sandbox/rules", self._show_rules),
            web.put("/sandbox/rules", self._set_rules),
            web.get("/sandbox/status", self._status),
            web.get("/health/live", _alive),
            web.get("/health/ready", _alive),
        ]

    @web.middleware
    async def misbehaving(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Every request to `/v1`, as the faults say; a refusal of its own is an answer as any other."""
        if not request.path.startswith("/v1/"):
            return await handler(request)
        faults = self._webhooks.faults
        if faults.down:
            return _hang_up(request)
        if faults.latency:
            await asyncio.sleep(faults.latency)
        error = ""
        if faults.errors and self._choose.random() < faults.error_share:
            error = self._choose.choice(faults.errors)
        if error and error not in AFTER_THE_WORK:
            return _error(error, faults)
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {self._key}".encode()):
            return _refusal(401, "unauthorized", "the API key is missing or wrong")
        answer = await handler(request)
        if request.method == "POST" and self._choose.random() < faults.hang_share:
            await asyncio.sleep(faults.hang_for)
            return _hang_up(request)
        if error == "not-json":
            return web.Response(text="<html><body>It works!</body></html>", content_type="text/html")
        if error == "cut-off":
            return await _cut_off(request, answer)
        return answer

    async def _create_charge(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await _read(request, ChargeRequest)
        now, faults = time.time(), self._webhooks.faults

        def act() -> bytes:
            taken = msgspec.structs.replace(asked, amount=asked.amount + faults.amount_off)
            outcome = self.rules.charge(asked.customer)
            return _encode(self._ledger.add_charge(key, taken, outcome, now, now + self.settle_after))

        answer = self._once("charge", key, body, act)
        charge = msgspec.json.decode(answer)
        if faults.webhook_early and charge["status"] == "pending":
            await self._settle_early(request, charge["id"])
        return web.Response(body=answer, status=201, content_type="application/json")

    async def _create_refund(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await _read(request, RefundRequest)
        now = time.time()

        def act() -> bytes:
            charge = self._ledger.find_charge("id", asked.charge)
            outcome = self.rules.refund("" if charge is None else charge.customer)
            return _encode(self._ledger.add_refund(asked, outcome, now, now + self.settle_after))

        answer = self._once("refund", key, body, act)
        return web.Response(body=answer, status=201, content_type="application/json")

    def _once(self, what: str, key: str, body: bytes, act: Callable[[], bytes]) -> bytes:
        try:
            return self._ledger.once(key, what.encode() + b" " + body, act)
        except KeyReused:
            raise _Refusal(422, "key-reused", f"the idempotency key {key} belongs to another request") from None
        except Refused as refused:
            raise _Refusal(422, "refused", str(refused)) from None

    async def _settle_early(self, request: web.Request, charge: str) -> None:
        with self._ledger.transaction():
            found = self._ledger.charge(charge)
            if found.status != "pending":
                return
            event = self._ledger.settle_charge(charge, time.time())
        await self._webhooks.deliver_now(request.app[SESSION], PendingWebhook(event.id, _encode(event), 0))

    async def _list_charges(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if "key" in query:
            found = self._ledger.find_charge("key", query["key"])
            return _found(found, f"there is no charge with the key {query['key']}")
        after, limit = _number(request, "after", 0, 2**62), _number(request, "limit", 100, MAX_PAGE)
        return _json(self._ledger.page(after, max(1, limit), query.get("reference")))

    async def _get_charge(self, request: web.Request) -> web.StreamResponse:
        charge = request.match_info["id"]
        return _found(self._ledger.find_charge("id", charge), f"there is no charge {charge}")

    async def _get_refund(self, request: web.Request) -> web.StreamResponse:
        refund = request.match_info["id"]
        return _found(self._ledger.find_refund(refund), f"there is no refund {refund}")

    async def _show_faults(self, _request: web.Request) -> web.StreamResponse:
        return _json(self._webhooks.faults)

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        self._webhooks.faults = _decode(await request.read(), Faults)
        self._webhooks.wake()
        return _json(self._webhooks.faults)

    async def _show_rules(self, _request: web.Request) -> web.StreamResponse:
        return _json(self.rules)

    async def _set_rules(self, request: web.Request) -> web.StreamResponse:
        self.rules = _decode(await request.read(), Rules)
        return _json(self.rules)

    async def _status(self, _request: web.Request) -> web.StreamResponse:
        return _json(self._ledger.counts())


SESSION: web.AppKey[Any] = web.AppKey("session")


class _Refusal(Exception):
    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.response = _refusal(status, code, detail)


@web.middleware
async def refusing(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turns what a handler refuses into its answer."""
    try:
        return await handler(request)
    except _Refusal as refusal:
        return refusal.response


async def _alive(_request: web.Request) -> web.StreamResponse:
    return _json({"status": "alive"})


async def _read(request: web.Request, kind: type[_S]) -> tuple[_S, str, bytes]:
    """The decoded body, the idempotency key, and the body in one spelling. Raises _Refusal."""
    key = request.headers.get("Idempotency-Key", "")
    if not (1 <= len(key) <= 128 and key.isascii() and key.isprintable()):
        raise _Refusal(400, "no-key", "a request needs an Idempotency-Key of 1 to 128 printable ASCII characters")
    decoded = _decode(await request.read(), kind)
    return decoded, key, _encode(decoded)


def _decode(body: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Refusal(400, "malformed", str(error)) from None


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
        raise _Refusal(400, "malformed", f"{name} is a number from 0 to {most}")
    return int(text)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=_encode(value), status=status, content_type="application/json")


def _found(value: Any, otherwise: str) -> web.Response:
    return _refusal(404, "not-found", otherwise) if value is None else _json(value)


def _refusal(status: int, code: str, detail: str) -> web.Response:
    return _json({"error": {"code": code, "detail": detail}}, status)


def _error(kind: str, faults: Faults) -> web.Response:
    if kind == "302":
        return web.Response(status=302, headers={"Location": "http://elsewhere.invalid/v1/charges"})
    response = _refusal(int(kind), "fault", "the sandbox was told to answer so")
    if kind in ("429", "503"):
        response.headers["Retry-After"] = str(faults.retry_after)
    return response


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _cut_off(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Half of the body that the headers promise."""
    assert isinstance(answer, web.Response)
    body = answer.body
    assert isinstance(body, bytes)
    half = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(body))})
    half.content_type = "application/json"
    with suppress(ConnectionError):  # the client has gone already
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
