"""HTTP to Eventfold's own services: temporary failures are retried, every other response is returned."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from infrastructure.resilience import backoff
from infrastructure.security.own_tokens import NoToken, TokenSource

TRANSIENT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """A final HTTP response: any status except those that ask to try again later (`TRANSIENT`)."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        """The decoded body.

        Raises:
            msgspec.DecodeError: it is not JSON.
        """
        return msgspec.json.decode(self.body)


class NoResponse(Exception):
    """The service gave no final response before the retry timeout; `last` is its last response, if it gave any."""

    def __init__(self, message: str, last: ServiceResponse | None = None) -> None:
        super().__init__(message)
        self.last = last


class _TryAgain(Exception):
    """This attempt failed, and another one may succeed."""

    def __init__(self, reason: str, response: ServiceResponse | None = None) -> None:
        super().__init__(reason)
        self.response = response

    @property
    def retry_after(self) -> str | None:
        return None if self.response is None else self.response.headers.get("Retry-After")


@dataclass(slots=True)
class ServiceClient:
    """One service at `base_url`. Times are in seconds: `retry_timeout` bounds all attempts of one request together,
    `attempt_timeout` each of them. `tokens` prove who asks. `retries` counts the attempts after the first, over all
    requests."""

    base_url: str
    session: aiohttp.ClientSession
    retry_timeout: float = 60.0
    attempt_timeout: float = 15.0
    tokens: TokenSource = field(default_factory=NoToken)
    retries: int = field(default=0, init=False)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> ServiceResponse:
        """Ask until there is a final response. A command needs an Idempotency-Key, so that repeating it is safe.

        Raises:
            NoResponse: there was none within `retry_timeout`.
        """
        options: dict[str, Any] = {"params": params, "headers": dict(headers or {})}
        if json is not None:
            options["data"] = msgspec.json.encode(json)
            options["headers"]["Content-Type"] = "application/json"
        delays, failure = backoff(first=0.05, cap=1.0), _TryAgain("nothing was asked")
        try:
            async with asyncio.timeout(self.retry_timeout):
                while True:
                    try:
                        return await self._attempt(method, path, options)
                    except _TryAgain as error:
                        failure = error
                    self.retries += 1
                    await asyncio.sleep(_delay(delays, failure.retry_after))
        except TimeoutError:
            what = f"{method} {self.base_url}{path}"
            message = f"{what} had no answer for {self.retry_timeout:g} s; the last attempt: {failure}"
            raise NoResponse(message, failure.response) from failure

    async def get(self, path: str, **params: str) -> ServiceResponse:
        """A GET with these query parameters."""
        return await self.request("GET", path, params=params)

    async def _attempt(self, method: str, path: str, options: dict[str, Any]) -> ServiceResponse:
        timeout = aiohttp.ClientTimeout(total=self.attempt_timeout)
        if (token := self.tokens.token()) is not None:
            options = {**options, "headers": {**options["headers"], "Authorization": f"Bearer {token}"}}
        try:
            async with self.session.request(method, self.base_url + path, timeout=timeout, **options) as received:
                body = await received.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _TryAgain(str(error) or type(error).__name__) from error
        response = ServiceResponse(received.status, received.headers, body)
        if response.status in TRANSIENT:
            raise _TryAgain(f"{response.status} {body[:300].decode(errors='replace')}", response)
        return response


def _delay(delays: Iterator[float], retry_after: str | None) -> float:
    """Seconds to wait: what the server asks for, if it asks in seconds, but at least the backoff."""
    delay = next(delays)
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return max(delay, float(retry_after))
    return delay
