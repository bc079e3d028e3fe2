"""`eventfold inbox dead-letters`: messages that could not be handled: list, show, retry, discard."""

import argparse
import sys
from typing import Any

from ops.dead_letters.group_commands import fingerprint
from ops.errors import CommandFailed
from ops.inbox.groups import add_groups, discard_group, retry_group
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
    listing.add_argument("--group", type=fingerprint, metavar="GROUP", help="only those of this group")
    add_json(listing)
    add_groups(inner)
    showing = _action(inner, "show", "one of them, with the message and the reason", show)
    _add_one(showing)
    add_json(showing)
    retrying = _action(inner, "retry", "handle them again in order, once the cause is mended", retry)
    retrying.add_argument("consumer", nargs="?", metavar="CONSUMER", help="the source's consumer")
    retrying.add_argument("key", nargs="?", metavar="KEY", help="a message's key (default: all)")
    retrying.add_argument("--reason", default="", metavar="TEXT", help="what was mended; it is kept in the history")
    _add_group(retrying)
    discarding = _action(inner, "discard", "leave one out for good, and handle what stood behind it", discard)
    discarding.add_argument("consumer", nargs="?", metavar="CONSUMER", help="the source's consumer")
    discarding.add_argument("position", nargs="?", type=int, metavar="POSITION", help="as `list` has it")
    _add_group(discarding)
    discarding.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept with the decision")
    discarding.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")


def list_oldest(args: argparse.Namespace) -> int:
    """Print the oldest dead letters."""
    from ops.dead_letters.client import page_as_json
    from ops.dead_letters.display import print_page
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    page = with_dead_letters(
        inbound_address(args), lambda client: client.list(args.limit, args.consumer, args.key, args.group)
    )
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
    if args.group is not None:
        _refuse_both(args.key)
        return retry_group(args)
    _require(args.consumer)
    from ops.dead_letters.display import print_outcome
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    address = inbound_address(args)
    outcome = with_dead_letters(
        address, lambda client: client.retry(args.consumer, args.key, args.reason), replays=True
    )
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
    if args.group is not None:
        _refuse_both(args.position)
        return discard_group(args)
    _require(args.consumer, args.position)
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


def _require(*given: object) -> None:
    if None in given:
        raise CommandFailed("CONSUMER or POSITION is missing", "or name a group with --group")


def _refuse_both(given: object) -> None:
    if given is not None:
        raise CommandFailed("either single dead letters or --group, not both")


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", type=fingerprint, metavar="GROUP", help="a whole group, as `groups` names it")


def _action(inner: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = inner.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    add_inbound(parser)
    parser.set_defaults(run=run)
    return parser


def _add_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("consumer", metavar="CONSUMER", help="the source's consumer")
    parser.add_argument("position", type=int, metavar="POSITION", help="the dead letter's position, as `list` has it")
