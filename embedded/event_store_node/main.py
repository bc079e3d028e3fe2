"""The node as a process: `python -m embedded.event_store_node --port 2113 --data-dir data/events`."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from embedded.event_store_node.database import DataDirectoryError
from embedded.event_store_node.node import EventStoreNode, PortTakenError


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a node until SIGTERM, SIGINT or a client's request to shut down. Returns the exit code: 1 when it could
    not start.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    data_dir = None if arguments.in_memory else Path(arguments.data_dir)
    try:
        node = EventStoreNode(
            data_dir,
            arguments.host,
            arguments.port,
            run_projections=arguments.run_projections != "none",
            start_standard_projections=arguments.start_standard_projections,
        )
        uvloop.run(_serve(node))
    except (DataDirectoryError, PortTakenError) as error:
        sys.stderr.write(f"event store node: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="event_store_node",
        description="A single-node event store that speaks the EventStoreDB protocol.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=2113, help="0 picks a free one (default: %(default)s)")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data-dir", help="directory of the event log; made if it is missing")
    where.add_argument("--in-memory", action="store_true", help="keep the log in a temporary directory only")
    parser.add_argument(
        "--run-projections",
        choices=("none", "system", "all"),
        default="system",
        help="whether projections can be enabled; there are none but the system's (default: %(default)s)",
    )
    parser.add_argument(
        "--start-standard-projections", action="store_true", help="enable all system projections at start"
    )
    return parser


async def _serve(node: EventStoreNode) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.shutdown_requested.set)
    async with node:
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        sys.stdout.write(f"event store node ready on {node.host}:{node.port} (data in {node.data_dir})\n")
        sys.stdout.flush()
        await node.shutdown_requested.wait()
