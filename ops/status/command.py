"""`eventfold status`: what runs, how far each view is, what is parked."""

import argparse
import asyncio
import contextlib
from typing import Any

from ops.options import add_data_dir, settings


def add_parser(commands: Any) -> None:
    """Add `status`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "status",
        help="what runs, how far each view is, what is parked; --watch shows it live",
        description="Ask every service whether it is ready and what it depends on, the projector how far each view and "
        "other consumer is, the process manager what is stuck. Exit status 1 when a service is not ready. Services are "
        "looked for where `eventfold up` on the data directory put them, else where the EVENTFOLD_* variables say.",
    )
    add_data_dir(parser, "the data directory of `eventfold up`")
    parser.add_argument("--json", action="store_true", help="print JSON; with --watch one object a line")
    parser.add_argument("--watch", action="store_true", help="look again and again, until Ctrl-C")
    parser.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="SECONDS", help="between two looks of --watch (default: 2)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the status; 0 when every service is ready."""
    from ops.output import output
    from ops.status.display import print_status
    from ops.status.inspection import inspect

    if args.watch:
        return _watch(args)
    console = output()
    status = asyncio.run(inspect(args.data_dir, settings()))
    if args.json:
        import msgspec

        console.print_json(msgspec.json.encode(status).decode())
    else:
        print_status(console, status)
    return 0 if status.all_ready else 1


def _watch(args: argparse.Namespace) -> int:
    from ops.output import output
    from ops.stack.supervision import run_cancellable
    from ops.status.inspection import inspect
    from ops.status.watch import shown, watch

    configured, console = settings(), output()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError), shown(console, as_json=args.json) as show:
        run_cancellable(watch(lambda: inspect(args.data_dir, configured), show, args.interval))
    return 0


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 3600 seconds")
    return value
