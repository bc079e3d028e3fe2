"""`eventfold views switch-back`."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.commands.projector_options import add_projector, projector_url
from ops.commands.views.acting import with_views
from ops.commands.views.waiting import add_wait, wait_for

if TYPE_CHECKING:
    from ops.views.answers import View
    from ops.views.client import ViewsClient


def add_parser(actions: Any) -> None:
    """Add `switch-back`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "switch-back",
        help="go back to the previous build",
        description="Serve the previous build again. It is kept up to date for a while after a switch, so this takes "
        "a moment; it happens once the previous build is level with the live one.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_wait(parser, default=False)
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Begin it, and watch it if asked to."""
    from ops.consoles import output

    async def switch_back(views: "ViewsClient") -> "View":
        view, _ = await views.one(args.name)
        await views.switch_back(args.name)
        return view

    console, url = output(), projector_url(args)
    view = with_views(url, switch_back)
    target = None if view.previous is None else view.previous.collection
    if args.wait:
        return wait_for(console, url, {args.name: view.collection}, "switch-back", target)
    into = target or "the previous build"
    console.print(f"{args.name}: {into} is served again as soon as it is level", markup=False)
    return 0
