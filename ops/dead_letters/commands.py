"""`eventfold dead-letters …`: events that a consumer of the log could not process."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.locations import Address, add_projector, projector_address
from ops.options import add_json, count

if TYPE_CHECKING:
    from ops.dead_letters.responses import Summary

DESCRIPTION = """\
Events set aside because a consumer of the log could not process them (a view could not fold them, say), together with
every later event of the same document or stream, in order. All others go on. Nothing is skipped: a dead letter is
replayed, or left out by your decision. A view is a consumer under its own name; `eventfold status` names the others.
"""


def add_parser(commands: Any) -> None:
    """Add `dead-letters` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters", help="events that a consumer could not process: show, retry, discard", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_retry(actions)
    _add_discard(actions)


def _add_list(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "list",
        help="the oldest of them",
        description="The oldest dead letters: of which document or stream each is, and its error.",
    )
    parser.add_argument("--consumer", "--view", metavar="CONSUMER", help="only this consumer's, or this view's")
    parser.add_argument("--key", metavar="K", help="only those of this document or stream")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=list_oldest)


def list_oldest(args: argparse.Namespace) -> int:
    """Print the oldest dead letters."""
    from ops.dead_letters.client import page_as_json, with_dead_letters
    from ops.dead_letters.display import print_page
    from ops.output import output

    page = with_dead_letters(projector_address(args), lambda client: client.list(args.limit, args.consumer, args.key))
    console = output()
    if args.json:
        console.print_json(page_as_json(page))
    else:
        print_page(console, page, args.limit)
    return 0


def _add_show(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "show",
        help="one of them, with the event's data and the error",
        description="One dead letter with its error, the event's data and its metadata.",
    )
    _add_consumer(parser)
    _add_position(parser)
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Print one dead letter."""
    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.display import print_dead_letter
    from ops.output import output

    dead_letter, body = with_dead_letters(
        projector_address(args), lambda client: client.one(args.consumer, args.position)
    )
    console = output()
    if args.json:
        console.print_json(body.decode())
    else:
        print_dead_letter(console, dead_letter)
    return 0


def _add_retry(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "retry",
        help="replay them in order, once the cause is mended",
        description="Replay a consumer's dead letters in order, or those of one document or stream. What fails again "
        "stays parked, with all that stands behind it. Exit status 1 when some remain.",
    )
    _add_consumer(parser)
    parser.add_argument("key", nargs="?", metavar="KEY", help="a document's key or a stream (default: all)")
    add_projector(parser)
    parser.set_defaults(run=retry)


def retry(args: argparse.Namespace) -> int:
    """Replay dead letters; 0 when none is left of those asked for."""
    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.display import print_outcome
    from ops.output import output

    address = projector_address(args)
    outcome = with_dead_letters(address, lambda client: client.retry(args.consumer, args.key), replays=True)
    print_outcome(output(), outcome)
    return 1 if outcome.remaining or outcome.errors else 0


def _add_discard(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "discard",
        help="leave one event out for good",
        description="Make a consumer leave one event out for good (a view in every later rebuild too), and replay what "
        "stood behind it. The event stays in the log; the reason is kept. Asks first on a terminal. Exit status 1 when "
        "what stood behind it failed again.",
    )
    _add_consumer(parser)
    _add_position(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept with the decision")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    add_projector(parser)
    parser.set_defaults(run=discard)


def discard(args: argparse.Namespace) -> int:
    """Discard one event, once that is confirmed."""
    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.display import print_outcome
    from ops.output import output

    address, console = projector_address(args), output()
    if not args.reason.strip():
        raise CommandFailed("--reason must say something")
    if not args.yes and not _confirmed(address, args.consumer, args.position):
        console.print("Nothing was discarded.")
        return 1
    outcome = with_dead_letters(
        address, lambda client: client.discard(args.consumer, args.position, args.reason), replays=True
    )
    print_outcome(console, outcome)
    return 1 if outcome.errors else 0


def _confirmed(address: Address, consumer: str, position: int) -> bool:
    """Asks on the terminal, naming the event and its error.

    Raises:
        CommandFailed: there is no terminal, or no such dead letter.
    """
    from ops.dead_letters.client import with_dead_letters

    if not sys.stdin.isatty():
        raise CommandFailed("there is no terminal to ask on", "say --yes to discard the event without being asked")
    dead_letter, _ = with_dead_letters(address, lambda client: client.one(consumer, position))
    return input(f"{_question(dead_letter.summary, consumer, position)} [y/N] ").strip().lower() in ("y", "yes")


def _question(one: "Summary", consumer: str, position: int) -> str:
    what = f"{one.event_type} of {one.stream} at position {position}"
    return f"Leave {what} out of {consumer} for good? Its error is: {one.error}"


def _add_consumer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("consumer", metavar="CONSUMER", help="the consumer, or the view")


def _add_position(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", type=int, metavar="POSITION", help="the event's position in the log")
