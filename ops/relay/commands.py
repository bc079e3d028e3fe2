"""`eventfold relay`: the destinations of integration events: list, pause, resume, replay, remove."""

import argparse
import sys
from typing import Any

from ops.errors import CommandFailed
from ops.locations import add_event_relay, event_relay_address

DESCRIPTION = """\
Where integration events go. Each destination is a consumer of the log of its own: it lags, has dead letters (eventfold
dead-letters --consumer relay_NAME), is paused and published to again without the others.
"""


def add_parser(commands: Any) -> None:
    """Add `relay` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "relay", help="what is published to whom: list, pause, resume, replay, remove", description=DESCRIPTION
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
    removing = _action(
        actions, "remove", "forget a destination that is no longer in the file: its place, its dead letters", remove
    )
    removing.add_argument("name", metavar="NAME", help="the destination")
    removing.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")


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
    from ops.relay.display import print_destinations

    found, told = list_destinations(event_relay_address(args))
    if args.json:
        output().print_json(told.decode())
    else:
        print_destinations(found)
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


def remove(args: argparse.Namespace) -> int:
    """Forget a destination, once that is confirmed."""
    from ops.output import output
    from ops.relay.client import list_destinations, remove_destination

    address, console = event_relay_address(args), output()
    found, _ = list_destinations(address)
    known = next((one for one in found if one.name == args.name), None)
    if known is None:
        raise CommandFailed(f"nothing is kept of a destination {args.name}", "`eventfold relay list` names them")
    if not args.yes:
        parked = 0 if known.consumer is None else known.consumer.parked
        if not sys.stdin.isatty():
            raise CommandFailed(
                f"{args.name}, its place in the log and its {parked} dead letters would be forgotten; say --yes"
            )
        answer = console.input(f"Forget {args.name}, its place in the log and its {parked} dead letters? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            console.print("Nothing is changed.")
            return 1
    remove_destination(address, args.name)
    console.print(f"{args.name}: is forgotten", markup=False)
    return 0
