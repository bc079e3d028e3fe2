"""`eventfold views drop-previous`."""

import argparse
from typing import Any

from ops.commands.projector_options import add_projector, projector_url
from ops.commands.views.acting import with_views


def add_parser(actions: Any) -> None:
    """Add `drop-previous`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "drop-previous",
        help="remove the previous build now",
        description="Remove a view's previous build now rather than when its time is up. There is then nothing to "
        "switch back to. What is served does not change.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Remove it."""
    from ops.consoles import output

    with_views(projector_url(args), lambda views: views.drop_previous(args.name))
    output().print(f"{args.name}: the previous build is given up and being removed", markup=False)
    return 0
