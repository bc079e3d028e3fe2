"""`eventfold views cancel`."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.commands.projector_options import add_projector, projector_url
from ops.commands.views.acting import with_views

if TYPE_CHECKING:
    from ops.views.answers import Rebuild
    from ops.views.client import ViewsClient


def add_parser(actions: Any) -> None:
    """Add `cancel`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "cancel",
        help="give up the build under way",
        description="Give up what is under way for a view. Nothing is left of a new build; after a switch-back the "
        "previous build stays the previous one. What is served does not change.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cancel it."""
    from ops.consoles import output

    async def cancel(views: "ViewsClient") -> "Rebuild | None":
        view, _ = await views.one(args.name)
        await views.cancel(args.name)
        return view.rebuild

    rebuild = with_views(projector_url(args), cancel)
    if rebuild is not None and rebuild.kind == "switch_back":
        text = f"{args.name}: the switch-back is cancelled; {rebuild.collection} is the previous build again"
    else:
        text = f"{args.name}: the rebuild is cancelled; nothing is left of it"
    output().print(text, markup=False)
    return 0
