"""`eventfold dead-letters retry`."""

import argparse
from typing import Any

from ops.commands.dead_letters.acting import with_dead_letters
from ops.commands.projector_options import add_projector, projector_url


def add_parser(actions: Any) -> None:
    """Add `retry`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "retry",
        help="replay them in order, once the cause is mended",
        description="Replay a view's dead letters in order, or those of one document or stream. What fails again "
        "stays parked, with all that stands behind it. Exit status 1 when some remain.",
    )
    parser.add_argument("view", metavar="VIEW", help="the view")
    parser.add_argument("key", nargs="?", metavar="KEY", help="a document's key or a stream (default: all)")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay them; 0 when none is left of those asked for."""
    from ops.consoles import output
    from ops.dead_letters.display import print_outcome

    url = projector_url(args)
    outcome = with_dead_letters(url, lambda client: client.retry(args.view, args.key), replays=True)
    print_outcome(output(), outcome)
    return 1 if outcome.remaining or outcome.errors else 0
