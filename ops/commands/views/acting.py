"""One request about one view, and the client for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ops.views.client import ViewsClient

T = TypeVar("T")


def with_views(url: str, act: "Callable[[ViewsClient], Awaitable[T]]") -> T:
    """What `act` answers, given a client of the projector at the URL.

    Raises:
        CommandFailed: the projector refuses or gives no answer.
    """
    from ops.projector_client import open_projector
    from ops.views.client import ViewsClient

    async def acting() -> T:
        async with open_projector(url) as projector:
            return await act(ViewsClient(projector))

    return asyncio.run(acting())
