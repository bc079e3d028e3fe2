"""`eventfold dead-letters …`: events that a consumer of the log could not process."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.dead_letters.group_commands import (
    add_groups,
    add_history,
    confirmed,
    discard_group,
    fingerprint,
    require_terminal,
    retry_group,
    show_group,
)
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
    add_groups(actions)
    _add_show(actions)
    _add_retry(actions)
    _add_discard(actions)
    add_history(actions)


def _add_list(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "list",
        help="the oldest of them",
        description="The oldest dead letters: of which document or stream each is, and its error.",
    )
    parser.add_argument("--consumer", "--view", metavar="CONSUMER", help="only this consumer's, or this view's")
    parser.add_argument("--key", metavar="K", help="only those of this document or stream")
    parser.add_argument("--group", type=fingerprint, metavar="GROUP", help="only those of this group")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=list_oldest)


def list_oldest(args: argparse.Namespace) -> int:
    """Print the oldest dead letters."""
    from ops.dead_letters.client import page_as_json, with_dead_letters
    from ops.dead_letters.display import print_page
    from ops.output import output

    page = with_dead_letters(
        projector_address(args), lambda client: client.list(args.limit, args.consumer, args.key, args.group)
    )
    console = output()
    if args.json:
        console.print_json(page_as_json(page))
    else:
        print_page(console, page, args.limit)
    return 0


def _add_show(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "show",
        help="one of them, with the event's data and the error; or a group",
        description="One dead letter with its error, the event's data and its metadata; or a group and its oldest.",
    )
    _add_consumer(parser)
    _add_position(parser)
    _add_group(parser)
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=show, wrong_usage=parser.error)


def show(args: argparse.Namespace) -> int:
    """Print one dead letter, or a group."""
    if args.group is not None:
        _refuse(args, position=args.position)
        return show_group(args)
    _require(args, consumer=args.consumer, position=args.position)
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
        description="Replay a consumer's dead letters in order, those of one document or stream, or those of a group: "
        "of one consumer or, without CONSUMER, of all that have it. What fails again stays parked, with all that "
        "stands behind it. Exit status 1 when some remain. A group is replayed in portions: cut off, give the command "
        "again.",
    )
    _add_consumer(parser)
    parser.add_argument("key", nargs="?", metavar="KEY", help="a document's key or a stream (default: all)")
    _add_group(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="what was mended; it is kept in the history")
    add_projector(parser)
    parser.set_defaults(run=retry, wrong_usage=parser.error)


def retry(args: argparse.Namespace) -> int:
    """Replay dead letters; 0 when none is left of those asked for."""
    if args.group is not None:
        _refuse(args, key=args.key)
        return retry_group(args)
    _require(args, consumer=args.consumer)
    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.display import print_outcome
    from ops.output import output

    address = projector_address(args)
    outcome = with_dead_letters(
        address, lambda client: client.retry(args.consumer, args.key, args.reason), replays=True
    )
    print_outcome(output(), outcome)
    return 1 if outcome.remaining or outcome.errors else 0


def _add_discard(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "discard",
        help="leave one event out for good, or those of a group",
        description="Make a consumer leave one event out for good (a view in every later rebuild too), or every event "
        "of a group that failed: of one consumer or, without CONSUMER, of all that have it. What stood behind them is "
        "replayed. The events stay in the log; the reason is kept. Asks first on a terminal. Exit status 1 when what "
        "stood behind failed again.",
    )
    _add_consumer(parser)
    _add_position(parser)
    _add_group(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept with the decision")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    add_projector(parser)
    parser.set_defaults(run=discard, wrong_usage=parser.error)


def discard(args: argparse.Namespace) -> int:
    """Discard one event or a group, once that is confirmed."""
    if not args.reason.strip():
        raise CommandFailed("--reason must say something")
    if args.group is not None:
        _refuse(args, position=args.position)
        return discard_group(args)
    _require(args, consumer=args.consumer, position=args.position)
    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.display import print_outcome
    from ops.output import output

    address, console = projector_address(args), output()
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

    require_terminal()
    dead_letter, _ = with_dead_letters(address, lambda client: client.one(consumer, position))
    return confirmed(_question(dead_letter.summary, consumer, position))


def _question(one: "Summary", consumer: str, position: int) -> str:
    what = f"{one.event_type} of {one.stream} at position {position}"
    return f"Leave {what} out of {consumer} for good? Its error is: {one.error}"


def _require(args: argparse.Namespace, **given: object) -> None:
    missing = [name.upper() for name, value in given.items() if value is None]
    if missing:
        args.wrong_usage(f"{' and '.join(missing)} is missing; or name a group with --group")


def _refuse(args: argparse.Namespace, **given: object) -> None:
    for name, value in given.items():
        if value is not None:
            args.wrong_usage(f"either {name.upper()} or --group, not both")


def _add_consumer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("consumer", nargs="?", metavar="CONSUMER", help="the consumer, or the view")


def _add_position(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", nargs="?", type=int, metavar="POSITION", help="the event's position in the log")


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group", type=fingerprint, metavar="GROUP", help="a whole group, as `eventfold dead-letters groups` names it"
    )
