"""The lives of several applications in one process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar

log = structlog.get_logger(__name__)


@asynccontextmanager
async def living(apps: Sequence[Litestar]) -> AsyncIterator[None]:
    """Starts all applications, and ends them side by side, so that those that drain do so in one and the same grace.

    Raises what the first of them raises that can't start.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    ready: list[asyncio.Future[None]] = [loop.create_future() for _ in apps]
    lives = [asyncio.create_task(_live(app, one, stop)) for app, one in zip(apps, ready, strict=True)]
    try:
        await asyncio.gather(*ready)
        yield
    finally:
        stop.set()
        for error in await asyncio.gather(*lives, return_exceptions=True):
            if isinstance(error, Exception):
                log.error("a service did not end well", exc_info=error)


async def _live(app: Litestar, ready: asyncio.Future[None], stop: asyncio.Event) -> None:
    """One task from start to end: what a lifespan opens belongs to the task that opened it."""
    try:
        async with app.lifespan():
            if not ready.done():
                ready.set_result(None)
            await stop.wait()
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)
