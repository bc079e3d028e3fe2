"""The provider over HTTP: `/v1` for merchants, `/sandbox` for whoever plays the signer or tells it how to behave."""

import base64
import binascii
import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from embedded.sandbox.http import SESSION, Refusal, answer, decode, encode, found, number, once, read
from embedded.sandbox.memory import PendingWebhook, Refused
from embedded.sandbox.webhooks import Webhooks
from embedded.signature_provider.authority import Authority, NotADocument
from embedded.signature_provider.documents import altered, audit_trail, signed_document
from embedded.signature_provider.faults import SignatureFaults
from embedded.signature_provider.objects import Act, Cancellation, Event, Signature, SignatureRequest
from embedded.signature_provider.register import Register

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_PAGE = 1_000

_Play = Callable[[Signature, Act, float], Awaitable[Event]]


class Provider:
    """What the handlers share."""

    def __init__(self, register: Register, webhooks: Webhooks, authority: Authority) -> None:
        self._register = register
        self._webhooks = webhooks
        self._authority = authority
        self._plays: dict[str, _Play] = {
            "view": self._view,
            "sign": self._sign,
            "decline": self._decline,
            "expire": self._expire,
        }

    def routes(self) -> list[web.RouteDef]:
        """Those that are this provider's own."""
        return [
            web.post("/v1/requests", self._create),
            web.get("/v1/requests", self._list),
            web.get("/v1/requests/{id}", self._get),
            web.post("/v1/requests/{id}/cancel", self._cancel),
            web.get("/v1/requests/{id}/document", self._document),
            web.get("/v1/requests/{id}/audit-trail", self._audit_trail),
            web.post("/sandbox/signers/{reference}/{act}", self._play),
            web.get("/sandbox/status", self._status),
        ]

    @property
    def _faults(self) -> SignatureFaults:
        faults = self._webhooks.faults
        assert isinstance(faults, SignatureFaults)
        return faults

    async def _create(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await read(request, SignatureRequest)
        try:
            document = base64.b64decode(asked.document, validate=True)
        except binascii.Error as error:
            raise Refusal(400, "malformed", f"document: {error}") from None

        def act() -> bytes:
            return encode(self._told(self._register.add(key, asked, document, time.time())))

        made = once(self._register, "request", key, body, act)
        assert isinstance(made.body, bytes)
        if self._faults.webhook_early:
            early = self._register.find("id", msgspec.json.decode(made.body)["id"])
            if early is not None and early.status == "open" and early.viewed is None:
                event = await self._view(early, Act(), time.time())
                await self._webhooks.deliver_now(request.app[SESSION], PendingWebhook(event.id, encode(event), 0))
        return made

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        asked, key, body = await read(request, Cancellation)
        name = self._one(request).id

        def act() -> bytes:
            return encode(self._told(self._register.cancel(name, asked.reason, time.time())))

        return once(self._register, f"cancel {name}", key, body, act)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if "key" in request.query:
            key = request.query["key"]
            one = self._register.find("key", key)
            return found(one and self._told(one), f"there is no request with the key {key}")
        after, limit = number(request, "after", 0, 2**62), number(request, "limit", 100, MAX_PAGE)
        return answer(self._register.page(after, max(1, limit)))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return answer(self._told(self._one(request)))

    async def _document(self, request: web.Request) -> web.StreamResponse:
        signed = self._content(request, "signed")
        body = altered(signed) if self._faults.signed_document == "altered" else signed
        return web.Response(body=body, content_type="application/pdf")

    async def _audit_trail(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._content(request, "audit"), content_type="application/json")

    async def _play(self, request: web.Request) -> web.StreamResponse:
        """Somebody plays the signer of what is open under a reference."""
        reference, name = request.match_info["reference"], request.match_info["act"]
        body = await request.read()
        act = decode(body, Act) if body else Act()
        play, one = self._plays.get(name), self._register.open_of(reference)
        if play is None:
            raise Refusal(404, "not-found", f"a signer can {', '.join(self._plays)}, not {name}")
        if one is None:
            raise Refusal(404, "not-found", f"nothing is open for {reference}")
        try:
            await play(one, act, time.time())
        except Refused as refused:
            raise Refusal(422, "refused", str(refused)) from None
        except NotADocument as error:
            raise Refusal(422, "no-document", str(error)) from None
        self._webhooks.wake()
        return answer(self._register.of(one.id))

    async def _view(self, one: Signature, _act: Act, now: float) -> Event:
        with self._register.transaction():
            return self._register.view(one.id, now)

    async def _sign(self, one: Signature, _act: Act, now: float) -> Event:
        document = self._register.content(one.id, "document")
        assert document is not None
        signed = await signed_document(document, one.signer_name, self._authority, self._faults.signed_document)
        with self._register.transaction():
            return self._register.complete(one.id, signed, audit_trail(one, now), now)

    async def _decline(self, one: Signature, act: Act, now: float) -> Event:
        with self._register.transaction():
            return self._register.decline(one.id, act.reason, now)

    async def _expire(self, one: Signature, _act: Act, now: float) -> Event:
        with self._register.transaction():
            return self._register.expire(one.id, now)

    async def _status(self, _request: web.Request) -> web.StreamResponse:
        return answer(self._register.counts())

    def _one(self, request: web.Request) -> Signature:
        name = request.match_info["id"]
        one = self._register.find("id", name)
        if one is None:
            raise Refusal(404, "not-found", f"there is no request {name}")
        return one

    def _content(self, request: web.Request, column: str) -> bytes:
        one = self._one(request)
        content = self._register.content(one.id, column)
        if content is None:
            raise Refusal(409, "not-completed", f"request {one.id} is {one.status}")
        return content

    def _told(self, one: Signature) -> Signature:
        return msgspec.structs.replace(one, sha256="0" * 64) if self._faults.result_of_another else one
