"""`eventfold status`: what runs, how far each view is, what is parked."""

import argparse
import asyncio
import dataclasses
from typing import Any

from ops.options import add_data_dir, settings


def add_parser(commands: Any) -> None:
    """Add `status`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "status",
        help="what runs, how far each view is, what is parked",
        description="Ask every service whether it is ready, and the projector how far each view is. Exit status 1 when "
        "a service is not ready. Services are looked for where `eventfold up` on the data directory put them, else "
        "where the EVENTFOLD_* variables say.",
    )
    add_data_dir(parser, "the data directory of `eventfold up`")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the status; 0 when every service is ready."""
    from ops.output import output
    from ops.status.display import print_status
    from ops.status.inspection import inspect

    console = output()
    status = asyncio.run(inspect(args.data_dir, settings()))
    if args.json:
        console.print_json(data=dataclasses.asdict(status))
    else:
        print_status(console, status)
    return 0 if status.all_ready else 1
