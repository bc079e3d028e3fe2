"""`eventfold dead-letters …`: events that a view could not fold, replayed or left out for good."""

import argparse
from typing import Any

from ops.commands.dead_letters import discard, listing, retry, show

DESCRIPTION = """\
Events set aside because a view could not fold them, together with every later event of the same document or stream, in
order. All other documents go on. Nothing is skipped: a dead letter is replayed, or left out by your decision.
"""


def add_parser(commands: Any) -> None:
    """Add `dead-letters` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters", help="events that a view could not fold: show, retry, discard", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    for module in (listing, show, retry, discard):
        module.add_parser(actions)
