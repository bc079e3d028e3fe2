"""`eventfold dead-letters show`."""

import argparse
from typing import Any

from ops.commands.dead_letters.acting import with_dead_letters
from ops.commands.projector_options import add_json, add_projector, projector_url


def add_parser(actions: Any) -> None:
    """Add `show`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "show",
        help="one of them, with the event's data and the error",
        description="One dead letter with its error, the event's data and its metadata.",
    )
    parser.add_argument("view", metavar="VIEW", help="the view")
    parser.add_argument("position", type=int, metavar="POSITION", help="the event's position in the log")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    from ops.consoles import output
    from ops.dead_letters.display import print_dead_letter

    dead_letter, body = with_dead_letters(projector_url(args), lambda client: client.one(args.view, args.position))
    console = output()
    if args.json:
        console.print_json(body.decode())
    else:
        print_dead_letter(console, dead_letter)
    return 0
