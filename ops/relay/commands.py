"""`eventfold relay`: the destinations of integration events: list, pause, resume, replay."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.locations import add_event_relay, event_relay_address

if TYPE_CHECKING:
    from ops.relay.client import DestinationStatus

DESCRIPTION = """\
Where integration events go. Each destination is a consumer of the log of its own: it lags, has dead letters (eventfold
dead-letters --consumer relay_NAME), is paused and published to again without the others.
"""


def add_parser(commands: Any) -> None:
    """Add `relay` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "relay", help="what is published to whom: list, pause, resume, replay", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "every destination and how far it is", list_all)
    listing.add_argument("--json", action="store_true", help="print JSON")
    for name, what in (
        ("pause", "let nothing go to a destination until it is resumed"),
        ("resume", "let a destination go on where it was paused"),
        ("replay", "publish to a destination again; what it had before has the same ids"),
    ):
        action = _action(actions, name, what, change)
        action.add_argument("name", metavar="NAME", help="the destination")
        if name == "replay":
            action.add_argument(
                "--from",
                dest="beginning",
                type=_beginning,
                required=True,
                metavar="WHERE",
                help="start: everything in the log; a position: what stands after it. The dead letters go",
            )


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    add_event_relay(parser)
    parser.set_defaults(run=run)
    return parser


def _beginning(text: str) -> int | str:
    if text == "start" or (text.isascii() and text.isdigit() and len(text) < 19):
        return text if text == "start" else int(text)
    raise argparse.ArgumentTypeError(f"{text} is neither start nor a position")


def list_all(args: argparse.Namespace) -> int:
    """Print the destinations."""
    from ops.output import output
    from ops.relay.client import list_destinations

    found, told = list_destinations(event_relay_address(args))
    console = output()
    if args.json:
        console.print_json(told.decode())
    else:
        _print_table(found)
    return 0


def change(args: argparse.Namespace) -> int:
    """Pause, resume, or publish again."""
    from ops.output import output
    from ops.relay.client import change_destination

    body = {"beginning": args.beginning} if args.action == "replay" else None
    change_destination(event_relay_address(args), args.name, args.action, body)
    done = {"pause": "is paused", "resume": "goes on", "replay": "is published to again"}
    output().print(f"{args.name}: {done[args.action]}", markup=False)
    return 0


def _print_table(found: "list[DestinationStatus]") -> None:
    from ops.output import number, output, plain_table, text_of

    table = plain_table("DESTINATION", "KIND", "STATE", "POSITION", "LAG", "PARKED", "TYPES")
    for one in found:
        consumer = one.consumer
        state = "paused" if one.paused else "starting" if consumer is None else consumer.state
        position, lag, parked = (
            (None, None, None) if consumer is None else (consumer.position, consumer.lag_events, consumer.parked)
        )
        table.add_row(one.name, one.kind, state, text_of(position), number(lag), number(parked), ", ".join(one.types))
    output().print(table)
    for one in found:
        if one.consumer is not None and one.consumer.trouble and not one.paused:
            output().print(f"{one.name}: {one.consumer.trouble}", markup=False, soft_wrap=True)
