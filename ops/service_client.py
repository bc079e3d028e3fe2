"""HTTP to Eventfold's own services: what fails for a moment only is repeated, and every answer is returned."""

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
    """A final HTTP answer: anything but "try again later"."""

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
    """The service gave no final answer in all the time that it was asked; `last` is what it said last, if anything."""

    def __init__(self, message: str, last: Answer | None = None) -> None:
        super().__init__(message)
        self.last = last


class _TryAgain(Exception):
    """This attempt failed in a way that may pass."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer

    @property
    def retry_after(self) -> str | None:
        return None if self.answer is None else self.answer.headers.get("Retry-After")


@dataclass(slots=True)
class ServiceClient:
    """One service at `base_url`. `patience` is how long one request is repeated, in seconds."""

    base_url: str
    session: aiohttp.ClientSession
    patience: float = 60.0
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
        """Ask until there is a final answer. A command must carry an Idempotency-Key to be safe to repeat.

        Raises:
            Unanswered: there was none within `patience`.
        """
        options: dict[str, Any] = {"params": params, "headers": dict(headers or {})}
        if json is not None:
            options["data"] = msgspec.json.encode(json)
            options["headers"]["Content-Type"] = "application/json"
        delays, failure = backoff(first=0.05, cap=1.0), _TryAgain("nothing was asked")
        try:
            async with asyncio.timeout(self.patience):
                while True:
                    try:
                        return await self._attempt(method, path, options)
                    except _TryAgain as error:
                        failure = error
                    self.retries += 1
                    await asyncio.sleep(_delay(delays, failure.retry_after))
        except TimeoutError:
            what = f"{method} {self.base_url}{path}"
            message = f"{what} had no answer for {self.patience:g} s; the last attempt: {failure}"
            raise Unanswered(message, failure.answer) from failure

    async def get(self, path: str, **params: str) -> Answer:
        """A GET that is repeated like any other request."""
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
    """Seconds to wait: as long as the server asks for, when it asks in seconds, and never shorter than the backoff."""
    delay = next(delays)
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return max(delay, float(retry_after))
    return delay
