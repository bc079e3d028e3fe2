"""`eventfold views …`: how far each view is, and how it is built anew, divided and checked."""

import argparse
from typing import Any

from ops.commands.views import (
    cancel,
    drop_previous,
    listing,
    partitions,
    rebuild,
    show,
    switch_back,
    verify,
)

DESCRIPTION = """\
See and steer the views. Queries are answered all the while: a view is built anew beside the one that is served, and
takes its place only once it is level with it.
"""


def add_parser(commands: Any) -> None:
    """Add `views` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "views", help="list, rebuild, divide and verify the views", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    for module in (listing, show, rebuild, cancel, switch_back, drop_previous, partitions, verify):
        module.add_parser(actions)
