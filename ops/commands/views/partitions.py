"""`eventfold views partitions`."""

import argparse
from typing import Any

from ops.commands.options import count
from ops.commands.projector_options import add_projector, projector_url
from ops.commands.views.acting import with_views


def add_parser(actions: Any) -> None:
    """Add `partitions`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "partitions",
        help="divide a view anew, so that more instances share its work",
        description="Divide a view into N partitions, by its documents' keys. Each is projected by one instance. No "
        "document is built anew, and queries are answered all the while.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    parser.add_argument("partitions", type=count, metavar="N", help="how many partitions (1 to 64)")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Divide it."""
    from ops.consoles import output

    with_views(projector_url(args), lambda views: views.divide(args.name, args.partitions))
    many = f"{args.partitions} partitions" if args.partitions > 1 else "1 partition"
    output().print(
        f"{args.name}: {many} from now on; `eventfold views show {args.name}` shows who owns which", markup=False
    )
    return 0
