"""A client of a JSON API, every request under the dependency's policy; nothing that comes back is trusted.

Redirects are never followed, a body is read up to a bound, and what is no JSON, or is cut off, is never taken for an
answer.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from socket import socket
from typing import Any

import msgspec
from msgspec import Struct
from opentelemetry.trace import Span, SpanKind
from yarl import URL

from infrastructure.outside.transport import Received, Transport, UnusableResponse
from infrastructure.resilience import Limits, Policy, TransientFault, retry_after_seconds
from infrastructure.telemetry import trace_headers
from infrastructure.telemetry.spans import NOTHING, child_span, is_recording

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_OURS = frozenset({401, 403})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_EXCERPT = 200

__all__ = ["HttpClient", "JsonResponse", "UnusableResponse"]


class JsonResponse(Struct, frozen=True):
    """A final response. `body` is the decoded JSON; None where an error (4xx) came without any, or there is no body.
    `content` are the bytes as they came."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}
    content: bytes = b""


class HttpClient:
    """One JSON API at `base_url`, called under `policy`. `max_body` is in bytes: more is never read of a response.
    Without `only_json`, a success with a body that is no JSON is taken as one without a body.

    `headers` go with every request. `transport` carries them; without one it is the network, where `socket_factory`
    makes the socket for an address that was found, or raises OSError.
    """

    def __init__(
        self,
        base_url: str,
        policy: Policy,
        *,
        headers: Mapping[str, str] | None = None,
        max_body: int = 1_048_576,
        only_json: bool = True,
        socket_factory: Callable[[Any], socket] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.policy = policy
        self._headers = dict(headers or {})
        self._max_body = max_body
        self._only_json = only_json
        self._transport = transport or _network(policy.limits, socket_factory)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        is_transient: Callable[[JsonResponse], bool] = lambda _response: False,
        serves_others: Callable[[Received], bool] = lambda _response: False,
    ) -> JsonResponse:
        """Asks, and repeats where that may help and does no harm; `path` is encoded already.

        A method that is not idempotent by itself (POST) is repeated after it was sent only with `idempotent`, as where
        an idempotency key goes with it. `is_transient` says which of the final responses are worth another attempt all
        the same, `serves_others` which of those that ask to come again are, besides 500, about this request alone, so
        that the others go on. The response has a 2xx or 4xx status, and none that asks to come again.

        Raises DependencyUnavailable when there is no such response, and UnusableResponse for a redirect, for one that
        is too large, or has another status.
        """
        safe = method in _SAFE if idempotent is None else idempotent
        sent_headers = {**self._headers, **(headers or {})}
        body = None
        if json is not None:
            body = msgspec.json.encode(json)
            sent_headers.setdefault("Content-Type", "application/json")
        url = URL(self.base_url + path, encoded=True)
        if params:
            url = url.update_query(params)

        attempts = 0

        async def operation() -> JsonResponse:
            nonlocal attempts
            attempts += 1
            with self._span(method, url, attempts) as span:
                response = await self._attempt(method, url, body, {**sent_headers, **trace_headers()}, serves_others)
                span.set_attribute("http.response.status_code", response.status)
            if is_transient(response):
                wait = retry_after_seconds(response.headers.get("Retry-After"))
                # Where our credentials are not taken, no request is served, so it is away as far as we go.
                away = response.status in _NOT_OURS
                raise TransientFault(f"{method} {url.path}: {response.status} {response.body!r:.500}", wait, away=away)
            return response

        return await self.policy.call(operation, idempotent=safe)

    async def close(self) -> None:
        """Closes the transport."""
        await self._transport.close()

    def _span(self, method: str, url: URL, attempt: int) -> AbstractContextManager[Span]:
        """One attempt, by OpenTelemetry's conventions for HTTP clients; without the query, which may tell too much."""
        if not is_recording():
            return NOTHING
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "server.address": url.host or "",
            "server.port": url.port or 0,
            "url.full": str(url.with_query(None).with_user(None)),
            "peer.service": self.policy.name,
        }
        if attempt > 1:
            attributes["http.request.resend_count"] = attempt - 1
        return child_span(f"{method} {self.policy.name}", SpanKind.CLIENT, attributes)

    async def _attempt(
        self,
        method: str,
        url: URL,
        body: bytes | None,
        headers: Mapping[str, str],
        serves_others: Callable[[Received], bool],
    ) -> JsonResponse:
        received = await self._transport.send(method, url, body, headers, max_body=self._max_body)
        return _judged(received, f"{method} {url.path}", self._only_json, serves_others)


def _network(limits: Limits, socket_factory: Callable[[Any], socket] | None) -> Transport:
    # Here, because aiohttp takes a tenth of the start of a service, and three of them ask nobody.
    from infrastructure.outside.network import Network

    return Network(limits, socket_factory)


def _judged(response: Received, what: str, only_json: bool, serves_others: Callable[[Received], bool]) -> JsonResponse:
    status, content = response.status, response.content
    if status in _TRANSIENT:
        # One that answers 500 is there: it is this request that it can't serve.
        away = status != 500 and not serves_others(response)
        retry_after = retry_after_seconds(response.headers.get("Retry-After"))
        raise TransientFault(f"{what}: {status} {_excerpt(content)}".rstrip(), retry_after, away=away)
    if 300 <= status < 400:
        where = response.headers.get("Location", "nowhere")[:_EXCERPT]
        raise UnusableResponse(f"{what}: {status}, a redirect to {where!r}, which is not followed")
    if not (200 <= status < 300 or 400 <= status < 500):
        raise UnusableResponse(f"{what}: status {status}: {_excerpt(content)}")
    if not content:
        return JsonResponse(status, None, response.headers)
    try:
        return JsonResponse(status, msgspec.json.decode(content), response.headers, content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if status >= 400 or not only_json:
            return JsonResponse(status, None, response.headers, content)
        # It is not known what came of the request. A proxy may have cut it off, or have answered itself.
        kind = response.headers.get("Content-Type", "no content type")[:_EXCERPT]
        message = f"{what}: {status} with {kind} that is no JSON ({error!s:.{_EXCERPT}}): {_excerpt(content)}"
        raise TransientFault(message) from error


def _excerpt(content: bytes) -> str:
    return repr(content[:_EXCERPT].decode(errors="replace"))[1:-1]
