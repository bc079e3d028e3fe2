"""`eventfold demo`: the main job end to end, with crashes, proved against the input file."""

import argparse
import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ops.errors import CommandFailed
from ops.options import count

BASKETS = 120

DESCRIPTION = """\
On a fresh temporary data directory and free ports: start every service, receive stock (of some articles too little),
place retail baskets as orders over HTTP, and let them be fulfilled: stock reserved, payments charged at a sandbox
provider (some are declined, some settle later), orders confirmed or cancelled, mails sent to a sink, contracts drawn
up and some of them signed by their customers. Seven services are killed with kill -9 on the way. Then compare every
order, customer and day in the views with the input file, stock to the unit, the provider's money to the cent, the
mails, and what subscribers (a webhook, a reader of server-sent events, with --broker a broker) have of what is
published.

Exit status 0 only when everything agrees. After a failure the data directory, with the logs, is left in place.
"""


def add_parser(commands: Any) -> None:
    """Add `demo`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="the main job end to end, with crashes, checked to the cent",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--baskets", type=count, default=BASKETS, metavar="N", help=f"how many, up to 1000 (default: {BASKETS})"
    )
    parser.add_argument("--in-flight", type=count, default=32, metavar="N", help="commands at a time (default: 32)")
    parser.add_argument("--no-crashes", action="store_true", help="kill nothing")
    parser.add_argument("--no-auth", action="store_true", help="let the services ask for no tokens")
    parser.add_argument(
        "--broker",
        metavar="URL",
        help="publish there as well, and read it back: kafka://server:port/topic, or "
        "amqp://user:password@server:port/exchange",
    )
    parser.add_argument("--keep", action="store_true", help="leave the stack running until Ctrl-C, and keep its data")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when everything was exact."""
    from rich.console import Console

    from examples.retail.baskets.sample import SAMPLE_SIZE
    from infrastructure.http.client import NoResponse
    from ops.demo.run import DemoOptions, demo
    from ops.stack.supervision import run_cancellable

    if args.baskets > SAMPLE_SIZE:
        raise CommandFailed(f"--baskets can't be {args.baskets}: {SAMPLE_SIZE} baskets come with Eventfold")
    console = Console(highlight=False)
    data_dir = Path(tempfile.mkdtemp(prefix="eventfold-demo-"))
    options = DemoOptions(
        data_dir,
        args.baskets,
        args.in_flight,
        crash=not args.no_crashes,
        keep=args.keep,
        auth=not args.no_auth,
        broker=args.broker,
    )
    remove = not args.keep
    try:
        exact = run_cancellable(demo(console, options))
        remove = remove and exact
    except NoResponse as error:
        remove = False
        raise CommandFailed(str(error), f"logs are in {data_dir / 'logs'}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException:
        remove = False
        raise
    finally:
        if remove:
            shutil.rmtree(data_dir, ignore_errors=True)
        else:
            console.print(f"Data and logs are in {data_dir}", soft_wrap=True)
    return 0 if exact else 1
