"""
The node as a process: `python -m embedded.event_store_node --port 2113 --data-dir data/events`; and what is done
beside it: `python -m embedded.event_store_node backup --data-dir data/events --to events.backup`.
"""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from embedded.event_store_node.listening import PortTakenError
from embedded.event_store_node.log.directory_lock import DataDirectoryError
from embedded.event_store_node.maintenance import commands as maintenance
from embedded.event_store_node.metrics import serve_metrics
from embedded.event_store_node.node import EventStoreNode
from embedded.event_store_node.security.binding import refuse_exposure
from embedded.event_store_node.security.commands import user_command
from embedded.event_store_node.security.security import Security, SecurityError, TlsFiles

_COMMANDS = {
    "backup": maintenance.backup_command,
    "restore": maintenance.restore_command,
    "verify": maintenance.verify_command,
    "user": user_command,
}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a node until SIGTERM, SIGINT or a client's request to shut down, or run the command that the first word
    names. Returns the exit code: 1 when the node could not start or the command failed.
    """
    words = sys.argv[1:] if argv is None else argv
    command = _COMMANDS.get(words[0]) if words else None
    return command(words[1:]) if command else _run(words)


START_FAILURES = (DataDirectoryError, PortTakenError, SecurityError)
"""What the options, or the start, of a node may raise; the messages are for the operator."""


class ConfiguredNode:
    """A node with its metrics, as the options say; `shutdown_requested` is set when a client asks it to shut down."""

    def __init__(self, node: EventStoreNode, metrics_host: str, metrics_port: int | None) -> None:
        self.node = node
        self.shutdown_requested = node.shutdown_requested
        self._metrics = metrics_host, metrics_port

    async def start(self) -> None:
        """Raises one of START_FAILURES; then nothing is left running."""
        await self.node.start()
        host, port = self._metrics
        if port is None:
            return
        try:
            serve_metrics(self.node, host, port)
        except PortTakenError:
            await self.node.stop()
            raise

    async def stop(self) -> None:
        """As EventStoreNode.stop; metrics are served until the process ends."""
        await self.node.stop()


def configured_node(argv: Sequence[str]) -> ConfiguredNode:
    """The node that the options describe, to be started in the event loop of whoever asks.

    Raises one of START_FAILURES, and SystemExit where the options are wrong.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    security = _security(parser, arguments)
    if not arguments.insecure:
        refuse_exposure(arguments.host, security)
    node = EventStoreNode(
        None if arguments.in_memory else Path(arguments.data_dir),
        arguments.host,
        arguments.port,
        security=security,
        run_projections=arguments.run_projections != "none",
        start_standard_projections=arguments.start_standard_projections,
        advertise_host=arguments.advertise_host,
    )
    return ConfiguredNode(node, arguments.metrics_host, arguments.metrics_port)


def _run(argv: Sequence[str]) -> int:
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        uvloop.run(_serve(configured_node(argv)))
    except START_FAILURES as error:
        sys.stderr.write(f"event store node: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="event_store_node",
        description="A single-node event store that speaks the EventStoreDB protocol.",
        epilog="Beside a node, running or not: backup, restore, verify, user; each has its own --help.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=2113, help="0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--advertise-host",
        metavar="HOST",
        help="what clients that ask are told to connect to (default: localhost if that is this node, else --host)",
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="N",
        help="serve /metrics for Prometheus there, over plain HTTP (default: not)",
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="address for --metrics-port (default: %(default)s)"
    )
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
    security = parser.add_argument_group("security", "without it, only this machine can connect, and may do everything")
    security.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain of the node, PEM")
    security.add_argument("--tls-key", type=Path, metavar="FILE", help="key of the certificate, PEM")
    security.add_argument("--tls-ca", type=Path, metavar="FILE", help="clients need a certificate of this CA, PEM")
    security.add_argument("--users", type=Path, metavar="FILE", help="clients need a password; see: user --help")
    security.add_argument(
        "--insecure", action="store_true", help="listen on any address although TLS or users are missing"
    )
    return parser


def _security(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Security:
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    if arguments.tls_ca and not arguments.tls_cert:
        parser.error("--tls-ca needs --tls-cert and --tls-key")
    tls = TlsFiles(arguments.tls_cert, arguments.tls_key, arguments.tls_ca) if arguments.tls_cert else None
    return Security(tls, arguments.users)


async def _serve(configured: ConfiguredNode) -> None:
    node, loop = configured.node, asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.shutdown_requested.set)
    await configured.start()
    try:
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        sys.stdout.write(f"event store node ready on {node.host}:{node.port} (data in {node.data_dir})\n")
        sys.stdout.flush()
        await node.shutdown_requested.wait()
    finally:
        await configured.stop()
