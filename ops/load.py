"""`eventfold load`: retail baskets in as orders."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.locations import command_api_address
from ops.options import add_data_dir, count

if TYPE_CHECKING:
    from rich.console import Console

    from examples.retail.baskets.basket import Basket
    from examples.retail.loading.outcome import Outcome
    from ops.locations import Address

REASONS_SHOWN = 10


def add_parser(commands: Any) -> None:
    """Add `load`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "load",
        help="place retail baskets as orders",
        description="Place retail baskets as orders through the command API of a running stack. The first 1,000 come "
        "with Eventfold; the other 154,848 need `make data`. A load can be repeated: every command keeps its "
        "Idempotency-Key, so nothing happens twice.",
    )
    parser.add_argument("--baskets", type=count, default=1_000, metavar="N", help="how many (default: 1000)")
    parser.add_argument("--skip", type=int, default=0, metavar="K", help="leave out the first K (default: 0)")
    parser.add_argument("--in-flight", type=count, default=32, metavar="N", help="commands at a time (default: 32)")
    parser.add_argument(
        "--receive-stock", action="store_true", help="first receive as much of each article as the baskets want"
    )
    parser.add_argument(
        "--move-on",
        action="store_true",
        help="confirm, ship, deliver, cancel by a fixed rule; where the process manager runs, it may have confirmed or "
        "cancelled an order before",
    )
    parser.add_argument("--resume", action="store_true", help="go on where the last load of this kind was interrupted")
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument("--command-api", metavar="URL", help="the command API, when it is not the one of --data-dir")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load the baskets and print the figures."""
    from rich.console import Console

    from infrastructure.http.client import NoResponse

    if args.skip < 0:
        raise CommandFailed("--skip can't be negative")
    console = Console(highlight=False)
    try:
        outcome = asyncio.run(_load(args, console, command_api_address(args)))
    except NoResponse as error:
        raise CommandFailed(str(error), "`eventfold up` starts it, `eventfold status` shows it") from error
    return 0 if outcome.baskets else 1


async def _load(args: argparse.Namespace, console: "Console", command_api: "Address") -> "Outcome":
    import aiohttp

    from examples.retail.loading.loader import Loader
    from examples.retail.loading.progress_file import ProgressFile
    from infrastructure.http.client import ServiceClient
    from ops.output import progress_bar

    progress_path = args.data_dir / "run" / "load.json"
    start = ProgressFile.resume_at(progress_path, args.skip) if args.resume else args.skip
    end = args.skip + args.baskets
    if start > args.skip:
        console.print(f"Going on with basket {start:,}; the ones before were done.")
    if start >= end:
        raise CommandFailed("nothing is left to do: every one of these baskets was loaded before")
    if args.receive_stock:
        # Of all baskets of the load, also when it goes on: then it has been received, and is not received again.
        load = f"retail-{args.skip}-{end}"
        await _receive_stock(command_api, _baskets(args.skip, end), load, console, args.in_flight)
    baskets = _baskets(start, end)
    progress_file = ProgressFile(progress_path, args.skip, start)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        with progress_bar(console, "baskets", total=end - start) as advance:

            def on_done(ordinal: int) -> None:
                progress_file.done(ordinal)
                advance()

            loader = Loader(
                ServiceClient(command_api.url, session, tokens=command_api.tokens),
                in_flight=args.in_flight,
                move_on=args.move_on,
                on_done=on_done,
            )
            try:
                await loader.load(baskets, start)
            finally:
                progress_file.write()
                _print_outcome(console, loader.outcome)
    return loader.outcome


async def _receive_stock(
    command_api: "Address", baskets: "Iterator[Basket]", load: str, console: "Console", in_flight: int
) -> None:
    import aiohttp

    from examples.retail.loading.stock_receipts import StockRefused, receive_stock
    from examples.retail.stock import demand_of
    from infrastructure.http.client import ServiceClient
    from ops.output import progress_bar

    demand = demand_of(baskets)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        with progress_bar(console, "articles", total=len(demand)) as advance:
            try:
                await receive_stock(
                    ServiceClient(command_api.url, session, tokens=command_api.tokens),
                    demand,
                    load=load,
                    in_flight=in_flight,
                    on_done=lambda _: advance(),
                )
            except StockRefused as error:
                raise CommandFailed(str(error)) from error


def _baskets(start: int, end: int) -> "Iterator[Basket]":
    from itertools import islice

    from examples.retail.baskets.sample import SAMPLE_SIZE, read_sample
    from examples.retail.baskets.whole_set import WholeSetMissing, read_whole_set

    if end <= SAMPLE_SIZE:
        return islice(read_sample(), start, end)
    try:
        return read_whole_set(start, end - start)
    except WholeSetMissing as error:
        raise CommandFailed(str(error), error.hint) from error


def _print_outcome(console: "Console", outcome: "Outcome") -> None:
    """The figures of a load, and the commonest reasons of refusals."""
    moved = ", ".join(f"{n:,} {name}" for name, n in sorted(outcome.accepted.items()) if name != "place")
    console.print(
        f"{outcome.baskets:,} baskets: {outcome.placed:,} placed, {len(outcome.refusals):,} refused"
        + (f"; then {moved}" if moved else ""),
        soft_wrap=True,
    )
    for reason, times in outcome.reasons().most_common(REASONS_SHOWN):
        console.print(f"  {times:,} refused: {reason}", markup=False, soft_wrap=True)
    console.print(
        f"{outcome.commands:,} commands in {outcome.seconds:.1f} s: {outcome.commands_per_second:,.0f} a second, "
        f"{outcome.retries:,} retries; position {outcome.position}",
        soft_wrap=True,
    )
