"""Liveness and readiness: readiness asks all dependencies at once, each with its own timeout."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

Probe = Callable[[], Awaitable[None]]
"""Returns when the dependency answers, raises when it does not."""


class Readiness(Struct, frozen=True):
    """Whether the service can do its work, and what each dependency said ("ok" or the error)."""

    ready: bool
    dependencies: dict[str, str]


async def readiness(probes: Mapping[str, Probe], *, timeout: float = 2.0) -> Readiness:
    """Asks all dependencies in parallel; one that does not answer within `timeout` seconds counts as failed."""
    results = await asyncio.gather(*(_ask(probe, timeout) for probe in probes.values()))
    dependencies = dict(zip(probes, results, strict=True))
    return Readiness(all(result == "ok" for result in results), dependencies)


async def _ask(probe: Probe, timeout: float) -> str:
    try:
        async with asyncio.timeout(timeout):
            await probe()
    except TimeoutError:
        return f"no answer within {timeout} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return "ok"
