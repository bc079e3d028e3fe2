"""`eventfold inbox dead-letters`: messages that could not be handled: list, show, retry, discard."""

import argparse
import sys
from typing import Any

from ops.errors import CommandFailed
from ops.locations import add_inbound, inbound_address
from ops.options import add_json, count

DESCRIPTION = """\
Messages set aside because they could not be handled, and those of the same key that wait behind them. CONSUMER is
inbound_ and the source's name.
"""


def add_parser(actions: Any) -> None:
    """Add `dead-letters` with its sub-commands."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "dead-letters", help="messages that could not be handled: list, show, retry, discard", description=DESCRIPTION
    )
    inner = parser.add_subparsers(title="actions", dest="dead_letters", metavar="ACTION", required=True)
    listing = _action(inner, "list", "the oldest of them", list_oldest)
    listing.add_argument("--consumer", metavar="CONSUMER", help="only this source's")
    listing.add_argument("--key", metavar="K", help="only those of this key")
    listing.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    add_json(listing)
    showing = _action(inner, "show", "one of them, with the message and the reason", show)
    _add_one(showing)
    add_json(showing)
    retrying = _action(inner, "retry", "handle them again in order, once the cause is mended", retry)
    retrying.add_argument("consumer", metavar="CONSUMER", help="the source's consumer")
    retrying.add_argument("key", nargs="?", metavar="KEY", help="a message's key (default: all)")
    discarding = _action(inner, "discard", "leave one out for good, and handle what stood behind it", discard)
    _add_one(discarding)
    discarding.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept with the decision")
    discarding.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")


def list_oldest(args: argparse.Namespace) -> int:
    """Print the oldest dead letters."""
    from ops.dead_letters.client import page_as_json
    from ops.dead_letters.display import print_page
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    page = with_dead_letters(inbound_address(args), lambda client: client.list(args.limit, args.consumer, args.key))
    if args.json:
        output().print_json(page_as_json(page))
    else:
        print_page(output(), page, args.limit)
    return 0


def show(args: argparse.Namespace) -> int:
    """Print one dead letter."""
    from ops.inbox.client import with_dead_letters
    from ops.inbox.display import print_dead_letter
    from ops.output import output

    found, body = with_dead_letters(inbound_address(args), lambda client: client.one(args.consumer, args.position))
    if args.json:
        output().print_json(body.decode())
    else:
        print_dead_letter(output(), found)
    return 0


def retry(args: argparse.Namespace) -> int:
    """Handle dead letters again; 0 when none is left of those asked for."""
    from ops.dead_letters.display import print_outcome
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    address = inbound_address(args)
    outcome = with_dead_letters(address, lambda client: client.retry(args.consumer, args.key), replays=True)
    print_outcome(output(), outcome)
    return 1 if outcome.remaining or outcome.errors else 0


def discard(args: argparse.Namespace) -> int:
    """Discard one message, once that is confirmed."""
    from ops.dead_letters.display import print_outcome
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    address = inbound_address(args)
    if not args.reason.strip():
        raise CommandFailed("--reason must say something")
    if not args.yes and not _confirmed(args.consumer, args.position):
        output().print("Nothing was discarded.")
        return 1
    outcome = with_dead_letters(
        address, lambda client: client.discard(args.consumer, args.position, args.reason), replays=True
    )
    print_outcome(output(), outcome)
    return 1 if outcome.errors else 0


def _confirmed(consumer: str, position: int) -> bool:
    if not sys.stdin.isatty():
        raise CommandFailed("there is no terminal to ask on", "say --yes to discard the message without being asked")
    return input(f"Leave the message at {position} of {consumer} out for good? [y/N] ").strip().lower() in ("y", "yes")


def _action(inner: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = inner.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    add_inbound(parser)
    parser.set_defaults(run=run)
    return parser


def _add_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("consumer", metavar="CONSUMER", help="the source's consumer")
    parser.add_argument("position", type=int, metavar="POSITION", help="the dead letter's position, as `list` has it")
