"""`eventfold dead-letters …` for groups, and the history of what was done."""

import argparse
import sys
from typing import Any

from ops.errors import CommandFailed
from ops.locations import add_projector, projector_address
from ops.options import add_json, count

_EXAMPLES = 5


def fingerprint(text: str) -> str:
    """A group from the command line."""
    from infrastructure.dead_letters.failure import fault_number

    try:
        fault_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_groups(actions: Any) -> None:
    """Add `groups`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "groups",
        help="what they have in common: one line for each fault",
        description="Dead letters that failed alike, the largest group first: the same type of error, raised by the "
        "same function, with the same message but for ids and numbers, for the same type of event. `failed` counts "
        "those that failed themselves; the others of the group stand behind them.",
    )
    parser.add_argument("--consumer", "--view", metavar="CONSUMER", help="only this consumer's, or this view's")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=list_groups)


def list_groups(args: argparse.Namespace) -> int:
    """Print all groups."""
    import msgspec

    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.group_display import print_groups
    from ops.output import output

    found = with_dead_letters(projector_address(args), lambda client: client.groups(args.consumer))
    if args.json:
        output().print_json(msgspec.json.encode({"groups": found}).decode())
    else:
        print_groups(output(), found)
    return 0


def add_history(actions: Any) -> None:
    """Add `history`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "history",
        help="who retried and discarded what, when and why",
        description="What was retried and discarded, the newest first: by whom, why, and what came of it. It is kept "
        "in the event store, written before anything is done.",
    )
    parser.add_argument("--consumer", "--view", metavar="CONSUMER", help="only this consumer's, or this view's")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="how many, up to 500 (default: 50)")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=history)


def history(args: argparse.Namespace) -> int:
    """Print what was done."""
    import msgspec

    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.group_display import print_history
    from ops.output import output

    found = with_dead_letters(projector_address(args), lambda client: client.history(args.limit, args.consumer))
    if args.json:
        output().print_json(msgspec.json.encode(found).decode())
    else:
        print_history(output(), found.entries)
    return 0


def show_group(args: argparse.Namespace) -> int:
    """Print a group with its oldest dead letters."""
    import msgspec

    from ops.dead_letters.client import with_dead_letters
    from ops.dead_letters.group_display import print_group
    from ops.dead_letters.group_work import groups_named
    from ops.output import output

    address = projector_address(args)
    groups = groups_named(address, args.group, args.consumer)
    examples = with_dead_letters(address, lambda client: client.list(_EXAMPLES, args.consumer, group=args.group))
    if args.json:
        told = {"groups": groups, "dead_letters": examples.dead_letters}
        output().print_json(msgspec.json.encode(told).decode())
    else:
        print_group(output(), groups, examples)
    return 0


def retry_group(args: argparse.Namespace) -> int:
    """Replay a group; 0 when nothing of it is left."""
    from ops.dead_letters.group_work import groups_named, work_off
    from ops.output import output

    address = projector_address(args)
    groups = groups_named(address, args.group, args.consumer)
    return 0 if work_off(address, output(), "retry", groups, args.reason) else 1


def discard_group(args: argparse.Namespace) -> int:
    """Discard a group, once that is confirmed; 0 when nothing that stood behind failed."""
    from ops.dead_letters.group_work import groups_named, work_off
    from ops.output import output

    address, console = projector_address(args), output()
    if not args.yes:
        require_terminal()
    groups = groups_named(address, args.group, args.consumer)
    consumers = ", ".join(sorted({one.consumer for one in groups}))
    failed = max(one.failed for one in groups)
    question = f"Leave {failed:,} x {groups[0].event_type} out of {consumers} for good? The error: {groups[0].message}"
    if not args.yes and not confirmed(question):
        console.print("Nothing was discarded.")
        return 1
    return 0 if work_off(address, console, "discard", groups, args.reason) else 1


def require_terminal() -> None:
    """Raises CommandFailed where nobody can be asked."""
    if not sys.stdin.isatty():
        raise CommandFailed("there is no terminal to ask on", "say --yes to discard without being asked")


def confirmed(question: str) -> bool:
    """Asks on the terminal."""
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
