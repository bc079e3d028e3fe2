"""`eventfold inbox dead-letters …` for groups, and the history of what was done."""

import argparse
from typing import Any

from ops.dead_letters.group_commands import confirmed, require_terminal
from ops.locations import add_inbound, inbound_address
from ops.options import add_json, count


def add_groups(inner: Any) -> None:
    """Add `groups` and `history`."""
    groups: argparse.ArgumentParser = inner.add_parser(
        "groups",
        help="what they have in common: one line for each fault",
        description="Messages that failed alike, the largest group first. `failed` counts those that failed "
        "themselves; the others of the group stand behind them.",
    )
    history: argparse.ArgumentParser = inner.add_parser(
        "history",
        help="who retried and discarded what, when and why",
        description="What was retried and discarded, the newest first. It is kept in the event store.",
    )
    history.add_argument("--limit", type=count, default=50, metavar="N", help="how many, up to 500 (default: 50)")
    for parser, run in ((groups, list_groups), (history, show_history)):
        parser.add_argument("--consumer", metavar="CONSUMER", help="only this source's")
        add_inbound(parser)
        add_json(parser)
        parser.set_defaults(run=run)


def list_groups(args: argparse.Namespace) -> int:
    """Print all groups."""
    import msgspec

    from ops.dead_letters.group_display import print_groups
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    found = with_dead_letters(inbound_address(args), lambda client: client.groups(args.consumer))
    if args.json:
        output().print_json(msgspec.json.encode({"groups": found}).decode())
    else:
        print_groups(output(), found)
    return 0


def show_history(args: argparse.Namespace) -> int:
    """Print what was done."""
    import msgspec

    from ops.dead_letters.group_display import print_history
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    found = with_dead_letters(inbound_address(args), lambda client: client.history(args.limit, args.consumer))
    if args.json:
        output().print_json(msgspec.json.encode(found).decode())
    else:
        print_history(output(), found.entries)
    return 0


def retry_group(args: argparse.Namespace) -> int:
    """Handle a group again; 0 when nothing of it is left."""
    return _work_off(args, "retry")


def discard_group(args: argparse.Namespace) -> int:
    """Discard a group, once that is confirmed; 0 when nothing that stood behind failed."""
    return _work_off(args, "discard")


def _work_off(args: argparse.Namespace, action: str) -> int:
    from ops.dead_letters.group_work import groups_named, work_off
    from ops.inbox.client import with_dead_letters
    from ops.output import output

    address, console = inbound_address(args), output()
    asks = action == "discard" and not args.yes
    if asks:
        require_terminal()
    groups = groups_named(address, args.group, args.consumer, with_dead_letters)
    failed, one = sum(each.failed for each in groups), groups[0]
    if asks and not confirmed(f"Leave {failed:,} x {one.event_type} out for good? The error: {one.message}"):
        console.print("Nothing was discarded.")
        return 1
    return 0 if work_off(address, console, action, groups, args.reason, with_dead_letters) else 1
