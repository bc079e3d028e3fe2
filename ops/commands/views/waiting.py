"""Waiting for builds: the options, and what Ctrl-C means."""

import argparse
import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ops.views.watch import Ending

EXIT_INTERRUPTED = 130


def add_wait(parser: argparse.ArgumentParser, *, default: bool) -> None:
    """Add --wait and --no-wait."""
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=default,
        help=f"watch until it is served (default: {'--wait' if default else '--no-wait'})",
    )


def wait_for(
    console: "Console", url: str, before: Mapping[str, str | None], what: str, target: str | None = None
) -> int:
    """Watches the views' builds to their end; `before` has the collection that each was served from until now.

    The exit status: 0 when every one is served, 1 when one was cancelled or stopped, 130 after Ctrl-C.
    """
    try:
        endings = asyncio.run(_watch(console, url, before, target))
    except KeyboardInterrupt:
        for name in before:
            ending = f"the {what} goes on, unwatched; end it with: eventfold views cancel {name}"
            console.print(f"{name}: {ending}", markup=False, soft_wrap=True)
        return EXIT_INTERRUPTED
    return 0 if all(ending.succeeded for ending in endings.values()) else 1


async def _watch(
    console: "Console", url: str, before: Mapping[str, str | None], target: str | None
) -> "dict[str, Ending]":
    from ops.projector_client import open_projector
    from ops.views.client import ViewsClient
    from ops.views.progress import build_display
    from ops.views.watch import Watch
    from ops.views.watching import RETRY_TIMEOUT, watch_to_end

    watches = [Watch(name, collection, target) for name, collection in before.items()]
    async with open_projector(url, retry_timeout=RETRY_TIMEOUT) as projector:
        with build_display(console, list(before)) as display:
            return await watch_to_end(ViewsClient(projector), watches, display)
