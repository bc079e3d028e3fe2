"""`eventfold inbox`: sources, what came of a message, dead letters."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.locations import add_inbound, inbound_address
from ops.options import add_json

if TYPE_CHECKING:
    from ops.inbox.client import MessageStatus, SourceStatus

DESCRIPTION = """\
What comes from other systems and becomes commands. A message that can't, becomes a dead letter, and later ones of its
key wait behind it, unless the source is set to go on.
"""


def add_parser(commands: Any) -> None:
    """Add `inbox` with its sub-commands."""
    from ops.inbox import dead_letters

    parser: argparse.ArgumentParser = commands.add_parser(
        "inbox", help="what comes from other systems: sources, one message, dead letters", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    sources = actions.add_parser("sources", help="every source: its lag, its dead letters, what is wrong")
    add_inbound(sources)
    add_json(sources)
    sources.set_defaults(run=list_all)
    message = actions.add_parser("message", help="what came of one message")
    message.add_argument("consumer", metavar="CONSUMER", help="the source's consumer, such as inbound_warehouse")
    message.add_argument("source", metavar="SOURCE", help="the CloudEvent's source")
    message.add_argument("id", metavar="ID", help="the CloudEvent's id")
    add_inbound(message)
    add_json(message)
    message.set_defaults(run=show_message)
    dead_letters.add_parser(actions)


def list_all(args: argparse.Namespace) -> int:
    """Print the sources."""
    from ops.inbox.client import list_sources
    from ops.output import output

    found, told = list_sources(inbound_address(args))
    if args.json:
        output().print_json(told.decode())
    else:
        _print_sources(found)
    return 0


def show_message(args: argparse.Namespace) -> int:
    """Print what came of a message."""
    from ops.inbox.client import message_of
    from ops.output import output

    found, told = message_of(inbound_address(args), args.consumer, args.source, args.id)
    if args.json:
        output().print_json(told.decode())
    else:
        _print_message(found)
    return 0


def _print_sources(found: "list[SourceStatus]") -> None:
    from ops.output import number, output, plain_table

    table = plain_table("SOURCE", "KIND", "STATE", "LAG", "DEAD LETTERS", "TYPES")
    for one in found:
        state = "waiting" if one.trouble else "consuming"
        table.add_row(one.name, one.kind, state, number(one.lag), number(one.parked), ", ".join(one.types))
    output().print(table)
    for one in found:
        if one.trouble:
            output().print(f"{one.name}: {one.trouble}", markup=False, soft_wrap=True)


def _print_message(found: "MessageStatus") -> None:
    from rich.markup import escape

    from ops.output import moment, output, plain_table, text_of

    table = plain_table("", "")
    table.show_header = False
    for name, value in (
        ("message", found.message),
        ("type", found.event_type),
        ("key", found.key or "-"),
        ("state", found.state),
        ("position", text_of(found.position)),
        ("at", moment(found.at)),
        ("why", " ".join(one for one in (found.error_class, found.code, found.reason) if one) or "-"),
        ("by", found.by or "-"),
    ):
        table.add_row(name, escape(value))
    output().print(table)
