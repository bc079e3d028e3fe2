"""A provider over HTTP: what its handlers read and answer, and how it misbehaves when it is told to."""

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from embedded.sandbox.faults import AFTER_THE_WORK, Faults
from embedded.sandbox.memory import KeyReused, Memory, Refused
from embedded.sandbox.webhooks import Webhooks

SESSION: web.AppKey[Any] = web.AppKey("session")

_S = TypeVar("_S", bound=Struct)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
encode = msgspec.json.encode


class Refusal(Exception):
    """What a handler refuses, with its answer."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.response = _refusal(status, code, detail)


@web.middleware
async def refusing(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turns what a handler refuses into its answer."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response


class Misbehaviour:
    """Every request to `/v1` needs the key, and is answered as the faults of `webhooks` say; what these are is told
    and asked at `/sandbox/faults`."""

    def __init__(self, webhooks: Webhooks, key: str, choose: random.Random) -> None:
        self._webhooks = webhooks
        self._key = key
        self._choose = choose

    def routes(self) -> list[web.RouteDef]:
        """Those that every provider has."""
        return [
            web.get("/sandbox/faults", self._show),
            web.put("/sandbox/faults", self._set),
            web.get("/health/live", _alive),
            web.get("/health/ready", _alive),
        ]

    @web.middleware
    async def misbehaving(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """As the faults say; a refusal of the provider's own is an answer as any other."""
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
            return await cut_off(request, answer)
        return answer

    async def _show(self, _request: web.Request) -> web.StreamResponse:
        return answer(self._webhooks.faults)

    async def _set(self, request: web.Request) -> web.StreamResponse:
        self._webhooks.faults = decode(await request.read(), type(self._webhooks.faults))
        self._webhooks.wake()
        return answer(self._webhooks.faults)


async def read(request: web.Request, kind: type[_S]) -> tuple[_S, str, bytes]:
    """The decoded body, the idempotency key, and the body in one spelling. Raises Refusal."""
    key = request.headers.get("Idempotency-Key", "")
    if not (1 <= len(key) <= 128 and key.isascii() and key.isprintable()):
        raise Refusal(400, "no-key", "a request needs an Idempotency-Key of 1 to 128 printable ASCII characters")
    decoded = decode(await request.read(), kind)
    return decoded, key, encode(decoded)


def once(memory: Memory, what: str, key: str, body: bytes, act: Callable[[], bytes]) -> web.Response:
    """The answer to a request with a key: what `act` gives, or the first answer again. Raises Refusal."""
    try:
        made = memory.once(key, what.encode() + b" " + body, act)
    except KeyReused:
        raise Refusal(422, "key-reused", f"the idempotency key {key} belongs to another request") from None
    except Refused as refused:
        raise Refusal(422, "refused", str(refused)) from None
    return web.Response(body=made, status=201, content_type="application/json")


def decode(body: bytes, kind: type[_S]) -> _S:
    """Raises Refusal for what is not such a thing."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "malformed", str(error)) from None


def number(request: web.Request, name: str, default: int, most: int) -> int:
    """A parameter of the query. Raises Refusal."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
        raise Refusal(400, "malformed", f"{name} is a number from 0 to {most}")
    return int(text)


def answer(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=encode(value), status=status, content_type="application/json")


def found(value: Any, otherwise: str) -> web.Response:
    """The value, or that there is none."""
    return _refusal(404, "not-found", otherwise) if value is None else answer(value)


async def cut_off(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Half of the body that the headers promise."""
    assert isinstance(whole, web.Response)
    body = whole.body
    assert isinstance(body, bytes)
    half = web.StreamResponse(status=whole.status, headers={"Content-Length": str(len(body))})
    half.content_type = whole.content_type
    with suppress(ConnectionError):  # the client has gone already
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


async def _alive(_request: web.Request) -> web.StreamResponse:
    return answer({"status": "alive"})


def _refusal(status: int, code: str, detail: str) -> web.Response:
    return answer({"error": {"code": code, "detail": detail}}, status)


def _error(kind: str, faults: Faults) -> web.Response:
    if kind == "302":
        return web.Response(status=302, headers={"Location": "http://elsewhere.invalid/v1"})
    response = _refusal(int(kind), "fault", "the sandbox was told to answer so")
    if kind in ("429", "503"):
        response.headers["Retry-After"] = str(faults.retry_after)
    return response


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
