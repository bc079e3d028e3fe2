"""`eventfold views rebuild`."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops.commands.projector_options import add_projector, projector_url
from ops.commands.views.waiting import add_wait, wait_for
from ops.errors import CommandFailed

if TYPE_CHECKING:
    from rich.console import Console

DESCRIPTION = """\
Build views anew from the whole log, beside the ones that are served; each takes its predecessor's place once it is
level with it. Queries are answered all the while, and never from an older document than before. A projector that is
killed goes on where it was.

Waits until the new builds are served, and shows how far they are. Ctrl-C ends the watching only. Exit status 1 when a
view could not be rebuilt; the reason is said.
"""


def add_parser(actions: Any) -> None:
    """Add `rebuild`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "rebuild",
        help="build views anew beside the ones that are served",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="the views")
    parser.add_argument("--all", action="store_true", help="every view")
    add_wait(parser, default=True)
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Begin them, and watch them if asked to; 0 when all are served, or have begun."""
    from ops.consoles import output

    if bool(args.names) == args.all:
        raise CommandFailed("name the views to rebuild, or say --all", "`eventfold views list` names them")
    console, url = output(), projector_url(args)
    begun, refused = asyncio.run(_begin(console, url, args.names))
    if not begun:
        return 1
    if args.wait:
        return max(int(refused), wait_for(console, url, begun, "rebuild"))
    for name in begun:
        console.print(f"{name}: the rebuild has begun; `eventfold views show {name}` shows how far it is", markup=False)
    return int(refused)


async def _begin(console: "Console", url: str, names: Sequence[str]) -> tuple[dict[str, str | None], bool]:
    """The views whose rebuild has begun, with the collection served until now; whether any was refused."""
    from ops.projector_client import open_projector
    from ops.views.client import ViewsClient

    begun: dict[str, str | None] = {}
    refused = False
    async with open_projector(url) as projector:
        views = ViewsClient(projector)
        status, _ = await views.all()
        for name in dict.fromkeys(names or [view.name for view in status.views]):
            view = status.view(name)
            try:
                await views.rebuild(name)
            except CommandFailed as refusal:
                refused = True
                console.print(f"{name}: {refusal}", style="red", markup=False, soft_wrap=True)
                console.print(f"  {refusal.hint}", markup=False, soft_wrap=True)
            else:
                begun[name] = None if view is None else view.collection
    return begun, refused
