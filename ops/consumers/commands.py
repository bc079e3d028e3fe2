"""`eventfold consumers reset`: what is done to a consumer; `eventfold consumers` alone runs the service."""

import argparse
from typing import Any

from ops.locations import add_projector, projector_address

RESET = """\
Let a consumer of the log that is no view begin anew: where its checkpoints are of another log, or its work must be done
again. Its dead letters go; events that were discarded from it stay out. A view is rebuilt instead: eventfold views
rebuild NAME.
"""


def add_parser(commands: Any) -> None:
    """Add `reset` to the command that runs the service."""
    service: argparse.ArgumentParser = commands.choices["consumers"]
    actions = service.add_subparsers(title="actions", dest="action", metavar="ACTION")
    parser: argparse.ArgumentParser = actions.add_parser(
        "reset",
        help="let a consumer begin anew",
        description=RESET,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="the consumer; `eventfold status` names them")
    parser.add_argument(
        "--from",
        dest="beginning",
        choices=("start", "common", "end"),
        default="common",
        help="start: every event comes to it again; common: those after the last event that this log and the one of "
        "its checkpoints have in common; end: only those that are yet to come (default: common)",
    )
    add_projector(parser)
    parser.set_defaults(run=reset)


def reset(args: argparse.Namespace) -> int:
    """Reset the consumer."""
    import asyncio
    from urllib.parse import quote

    from ops.output import output
    from ops.projector_client import open_projector

    async def ask() -> None:
        async with open_projector(projector_address(args)) as projector:
            path = f"/consumers/{quote(args.name, safe='')}/reset"
            hints = {404: "`eventfold status` names the consumers; a view is rebuilt: eventfold views rebuild NAME"}
            await projector.send("POST", path, hints, json={"beginning": args.beginning})

    asyncio.run(ask())
    where = {"start": "the first event", "common": "after the last event in common", "end": "the log's end"}
    output().print(f"{args.name}: begins anew, from {where[args.beginning]}", markup=False)
    return 0
