"""`eventfold dead-letters discard`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ops.commands.dead_letters.acting import with_dead_letters
from ops.commands.projector_options import add_projector, projector_url
from ops.errors import CommandFailed

if TYPE_CHECKING:
    from ops.dead_letters.answers import Summary


def add_parser(actions: Any) -> None:
    """Add `discard`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "discard",
        help="leave one event out of the view for good",
        description="Leave one event out of a view for good, in every later rebuild too, and replay what stood behind "
        "it. The event stays in the log; the reason is kept. Asks first on a terminal. Exit status 1 when what stood "
        "behind it failed again.",
    )
    parser.add_argument("view", metavar="VIEW", help="the view")
    parser.add_argument("position", type=int, metavar="POSITION", help="the event's position in the log")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept with the decision")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Discard it, once that is confirmed."""
    from ops.consoles import output
    from ops.dead_letters.display import print_outcome

    url, console = projector_url(args), output()
    if not args.reason.strip():
        raise CommandFailed("--reason must say something")
    if not args.yes and not _confirmed(url, args.view, args.position):
        console.print("Nothing was discarded.")
        return 1
    outcome = with_dead_letters(url, lambda client: client.discard(args.view, args.position, args.reason), replays=True)
    print_outcome(console, outcome)
    return 1 if outcome.errors else 0


def _confirmed(url: str, view: str, position: int) -> bool:
    """Asks on the terminal, saying what it is about.

    Raises:
        CommandFailed: there is no terminal, or no such dead letter.
    """
    if not sys.stdin.isatty():
        raise CommandFailed("there is no terminal to ask on", "say --yes to discard the event without being asked")
    dead_letter, _ = with_dead_letters(url, lambda client: client.one(view, position))
    return input(f"{_question(dead_letter.summary, view, position)} [y/N] ").strip().lower() in ("y", "yes")


def _question(one: "Summary", view: str, position: int) -> str:
    what = f"{one.event_type} of {one.stream} at position {position}"
    return f"Leave {what} out of {view} for good? Its error is: {one.error}"
