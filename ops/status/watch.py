"""`eventfold status --watch`: the status again and again: live on a terminal, a block each time elsewhere."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops.status.display import parts, print_status
from ops.status.fitting import fitted
from ops.status.inspection import StackStatus

Show = Callable[[StackStatus], object]


async def watch(look: Callable[[], Awaitable[StackStatus]], show: Show, interval: float) -> None:
    """Looks, shows, and waits for `interval` seconds, until it is cancelled."""
    while True:
        show(await look())
        await asyncio.sleep(interval)


@contextlib.contextmanager
def shown(console: Console, *, as_json: bool) -> Iterator[Show]:
    """What shows a status: JSON, one object a line; in one place on a terminal; else a block with its time."""
    if as_json:
        yield lambda status: _json(console, status)
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False) as display:
            yield lambda status: display.update(fitted(console, _time(), list(parts(status))), refresh=True)
    else:
        yield lambda status: _block(console, status)


def _block(console: Console, status: StackStatus) -> None:
    console.print(_time())
    print_status(console, status)
    console.print()
    console.file.flush()


def _json(console: Console, status: StackStatus) -> None:
    # Not to the file itself: rich ends quietly where nobody reads any more.
    console.out(msgspec.json.encode(status).decode(), highlight=False)
    console.file.flush()


def _time() -> Text:
    return Text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}", style="dim")
