"""The process as one ASGI application: its node, its parts in order, and the front."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar
from litestar.datastructures import State

from infrastructure import garbage
from infrastructure.http.service import ON_STOP
from monolith.dispatching import Dispatcher
from monolith.living import living

Backing = Callable[[], AbstractAsyncContextManager[None]]
"""What is there before the first part starts and after the last has ended."""

log = structlog.get_logger(__name__)


class Whole:
    """`stages` start one after the other and end in reverse; `backing` encloses them."""

    def __init__(self, dispatcher: Dispatcher, stages: Sequence[Sequence[Litestar]], backing: Backing) -> None:
        self._dispatcher = dispatcher
        self._stages = stages
        self._backing = backing
        notified = (one for stage in stages for app in stage for one in app.state.get(ON_STOP, ()))
        self.state = State({ON_STOP: tuple(notified)})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request, or lives."""
        if scope["type"] == "http":
            await self._dispatcher(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        phase = "startup"
        try:
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except Exception as error:
            log.exception("the process can't go on", phase=phase)
            await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._backing())
            for stage in self._stages:
                await stack.enter_async_context(living(stage))
            # The projector's batches are a part of it, and each search would hold all services up.
            garbage.begin(rarely=True)
            yield
