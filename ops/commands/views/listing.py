"""`eventfold views list`."""

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from ops.commands.projector_options import add_json, add_projector, projector_url

if TYPE_CHECKING:
    from ops.views.answers import Status


def add_parser(actions: Any) -> None:
    """Add `list`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "list",
        help="every view: how far it is, who projects it, what is under way",
        description="Every view with its live version and collection, its position, its lag in events (~ where that "
        "is an estimate) and seconds, its partitions and their owners, its dead letters, and what is being built.",
    )
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    from ops.consoles import output
    from ops.views.tables import print_troubles, view_table

    console = output()
    status, body = asyncio.run(_all(projector_url(args)))
    if args.json:
        console.print_json(body.decode())
        return 0
    console.print(view_table(status.views))
    print_troubles(console, status.views)
    return 0


async def _all(url: str) -> "tuple[Status, bytes]":
    from ops.projector_client import open_projector
    from ops.views.client import ViewsClient

    async with open_projector(url) as projector:
        return await ViewsClient(projector).all()
