"""`eventfold views show`."""

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from ops.commands.projector_options import add_json, add_projector, projector_url

if TYPE_CHECKING:
    from ops.views.answers import View


def add_parser(actions: Any) -> None:
    """Add `show`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "show",
        help="one view in full, with its partitions, its build under way and its previous one",
        description="All that is known of one view: its live build, each partition with its owner, the build under "
        "way with its pace, and the previous build with the time until which it is kept.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    from ops.consoles import output
    from ops.views.details import print_view

    console = output()
    view, body = asyncio.run(_one(projector_url(args), args.name))
    if args.json:
        console.print_json(body.decode())
    else:
        print_view(console, view)
    return 0


async def _one(url: str, name: str) -> "tuple[View, bytes]":
    from ops.projector_client import open_projector
    from ops.views.client import ViewsClient

    async with open_projector(url) as projector:
        return await ViewsClient(projector).one(name)
