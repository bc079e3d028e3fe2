"""What a service does again and again beside its requests, for as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.service import Lifespan
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable

log = structlog.get_logger(__name__)

# Of a store that is away, its circuit and the log tell already.
_STORE_IS_AWAY = (EventStoreUnavailable, ReadStoreUnavailable, ReadStoreRefused)


def repeating(look: Callable[[], Awaitable[None]], interval: float) -> Lifespan:
    """A lifespan in which `look` is called at once and then after each `interval` seconds; where it fails, the next
    call is its repetition. It is to come after the lifespan that closes what `look` uses: so it ends first."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(_repeat(look, interval))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return lifespan


async def _repeat(look: Callable[[], Awaitable[None]], interval: float) -> None:
    while True:
        try:
            await look()
        except _STORE_IS_AWAY as error:
            log.debug("what /metrics shows could not be looked up", error=str(error))
        except Exception:
            log.exception("what /metrics shows could not be looked up")
        await asyncio.sleep(interval)
