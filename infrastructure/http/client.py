"""HTTP to Eventfold's own services: failures that may pass are retried, and every other answer is returned."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from infrastructure.resilience import backoff

TRANSIENT = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """A final HTTP answer: any status but those that ask to try again later (`TRANSIENT`)."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        """The decoded body.

        Raises:
            msgspec.DecodeError: it is no JSON.
        """
        return msgspec.json.decode(self.body)


class Unanswered(Exception):
    """The service gave no final answer before the retry timeout; `last` is its last answer, if it gave any."""

    def __init__(self, message: str, last: Answer | None = None) -> None:
        super().__init__(message)
        self.last = last


class _TryAgain(Exception):
    """This attempt failed, and another one may succeed."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer

    @property
    def retry_after(self) -> str | None:
        return None if self.answer is None else self.answer.headers.get("Retry-After")


@dataclass(slots=True)
class ServiceClient:
    """One service at `base_url`. Times are in seconds: `retry_timeout` bounds all attempts of one request together,
    `attempt_timeout` each of them. `retries` counts the attempts after the first, over all requests."""

    base_url: str
    session: aiohttp.ClientSession
    retry_timeout: float = 60.0
    attempt_timeout: float = 15.0
    retries: int = field(default=0, init=False)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask until there is a final answer. A command needs an Idempotency-Key, so that repeating it is safe.

        Raises:
            Unanswered: there was none within `retry_timeout`.
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
            raise Unanswered(message, failure.answer) from failure

    async def get(self, path: str, **params: str) -> Answer:
        """A GET with these query parameters."""
        return await self.request("GET", path, params=params)

    async def _attempt(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        timeout = aiohttp.ClientTimeout(total=self.attempt_timeout)
        try:
            async with self.session.request(method, self.base_url + path, timeout=timeout, **options) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _TryAgain(str(error) or type(error).__name__) from error
        answer = Answer(response.status, response.headers, body)
        if response.status in TRANSIENT:
            raise _TryAgain(f"{response.status} {body[:300].decode(errors='replace')}", answer)
        return answer


def _delay(delays: Iterator[float], retry_after: str | None) -> float:
    """Seconds to wait: what the server asks for, if it asks in seconds, but at least the backoff."""
    delay = next(delays)
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return max(delay, float(retry_after))
    return delay
