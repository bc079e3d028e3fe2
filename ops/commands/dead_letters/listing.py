"""`eventfold dead-letters list`."""

import argparse
from typing import Any

from ops.commands.dead_letters.acting import with_dead_letters
from ops.commands.options import count
from ops.commands.projector_options import add_json, add_projector, projector_url


def add_parser(actions: Any) -> None:
    """Add `list`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "list",
        help="the oldest of them",
        description="The oldest dead letters: of which document or stream each is, and its error.",
    )
    parser.add_argument("--view", metavar="V", help="only this view's")
    parser.add_argument("--key", metavar="K", help="only those of this document or stream")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    from ops.consoles import output
    from ops.dead_letters.client import page_as_json
    from ops.dead_letters.display import print_page

    page = with_dead_letters(projector_url(args), lambda client: client.list(args.limit, args.view, args.key))
    console = output()
    if args.json:
        console.print_json(page_as_json(page))
    else:
        print_page(console, page, args.limit)
    return 0
