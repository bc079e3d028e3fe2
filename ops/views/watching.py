"""Watches builds until each has come to its end."""

import asyncio
from collections.abc import Sequence

from ops.views.client import ViewsClient
from ops.views.progress import BuildDisplay
from ops.views.watch import Ending, Watch

INTERVAL = 0.5
"""Seconds between two looks."""

RETRY_TIMEOUT = 60.0
"""Seconds for which the projector may be away, because it is restarted, while its builds are watched."""


async def watch_to_end(views: ViewsClient, watches: Sequence[Watch], display: BuildDisplay) -> dict[str, Ending]:
    """How each build ended; all are asked for at once.

    Raises:
        CommandFailed: the projector gives no answer for RETRY_TIMEOUT, if the client was opened with that.
    """
    endings: dict[str, Ending] = {}
    while True:
        status, _ = await views.all()
        for watch in watches:
            if watch.name in endings:
                continue
            view = status.view(watch.name)
            ending = watch.look(view)
            if ending is not None:
                endings[watch.name] = ending
                display.end(watch.name, ending)
            elif view is not None and view.rebuild is not None:
                display.show(watch.name, view.rebuild)
        if len(endings) == len(watches):
            return endings
        await asyncio.sleep(INTERVAL)
