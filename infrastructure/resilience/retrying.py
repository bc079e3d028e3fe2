"""How calls to a service that may be unavailable for a moment are repeated."""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import tenacity

T = TypeVar("T")


async def retrying(attempt: Callable[[], Awaitable[T]], *, on: type[Exception], seconds: float) -> T:
    """Repeats `attempt` with exponential backoff and full jitter until it succeeds or `seconds` have passed.

    Only errors of the kind `on` are repeated; the last of them is raised when time is up.
    """
    async for run in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(on),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=1.0),
        reraise=True,
    ):
        with run:
            return await attempt()
    raise AssertionError("unreachable: tenacity raises the last error")


def backoff(first: float = 0.1, cap: float = 5.0) -> Iterator[float]:
    """Delays in seconds that double up to `cap`, each drawn from its upper half so that clients do not retry
    together."""
    delay = first
    while True:
        yield random.uniform(delay / 2, delay)  # noqa: S311 - spreads load, guards nothing
        delay = min(delay * 2, cap)
