"""One exchange about dead letters, and the client for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ops.dead_letters.client import DeadLettersClient

T = TypeVar("T")

REPLAY_TIMEOUT = 120.0
"""Seconds that a retry or discard may take: it is answered when what was parked has been replayed."""


def with_dead_letters(url: str, act: "Callable[[DeadLettersClient], Awaitable[T]]", *, replays: bool = False) -> T:
    """What `act` answers, given a client of the projector at the URL; `replays` says that it takes its time.

    Raises:
        CommandFailed: the projector refuses or gives no answer.
    """
    from ops.dead_letters.client import DeadLettersClient
    from ops.projector_client import open_projector

    async def acting() -> T:
        async with open_projector(url) as projector:
            client = DeadLettersClient(projector)
            if not replays:
                return await act(client)
            await client.list(1)  # so that nobody waits as long for a projector that is not there at all
        async with open_projector(url, retry_timeout=REPLAY_TIMEOUT, attempt_timeout=REPLAY_TIMEOUT) as projector:
            return await act(DeadLettersClient(projector))

    return asyncio.run(acting())
