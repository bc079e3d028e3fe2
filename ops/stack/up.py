"""`eventfold up`: every service on this machine, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.options import add_data_dir, port, settings

if TYPE_CHECKING:
    from ops.stack.specs import Ports

SERVICE_PORTS = {
    "node": "the event store node",
    "command_api": "the command API",
    "query_api": "the query API",
    "projector": "the projector's status and metrics",
    "read_store": "the MongoDB stand-in",
    "consumers": "the application's own consumers, where it has any",
    "payment_webhooks": "what the payment and the signing provider tell",
    "payment_provider": "the sandbox payment provider",
    "mail_sink": "the mails that the mail sink has kept",
    "smtp": "the mail sink's SMTP",
    "process_manager": "the process manager, where the application has processes",
    "node_metrics": "the event store node's metrics",
    "event_relay": "the event relay, where it has destinations",
    "signature_provider": "the sandbox signing provider, with EVENTFOLD_SIGNATURE_PROVIDER=sandbox",
    "signing_page": "the page where customers sign",
    "monolith": "all services, with --single-process",
    "gateway": "the one door to all of them, with --gateway",
    "gateway_admin": "Envoy's administration, on loopback alone",
}


def add_parser(commands: Any) -> None:
    """Add `up`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "up",
        help="every service on this machine, until Ctrl-C",
        description="Start every service, wait until each is ready, start again the ones that die, and stop all on "
        "Ctrl-C. Logs go to DIR/logs. Where EVENTFOLD_EVENTSTORE_URI, EVENTFOLD_MONGO_URI, EVENTFOLD_PAYMENTS_URL "
        "or EVENTFOLD_MAIL_URL is set, that server is used and no stand-in is started. With "
        "EVENTFOLD_SIGNATURE_PROVIDER=sandbox a sandbox signing provider runs too, unless EVENTFOLD_SIGNATURE_URL is "
        "set.",
    )
    add_data_dir(parser, "where events, views and logs are kept")
    parser.add_argument("--host", help="address to listen on (default: EVENTFOLD_HOST, or 127.0.0.1)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--port-base",
        type=port,
        metavar="N",
        help="listen on N, N+1, ... for " + ", ".join(name.replace("_", "-") for name in SERVICE_PORTS),
    )
    choice.add_argument("--free-ports", action="store_true", help="listen on ports that are free at the moment")
    for name, what in SERVICE_PORTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}-port", type=port, metavar="N", help=f"port of {what}")
    parser.add_argument(
        "--no-auth", action="store_true", help="let the services ask for no tokens; on a loopback address alone"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument(
        "--single-process",
        action="store_true",
        help="run the event store node and all services in one process, on the port of --monolith-port "
        "(default: 8000); the data directory is the same",
    )
    shape.add_argument(
        "--gateway", action="store_true", help="one door to all services as well: Envoy, where it is installed"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the services until a signal asks to stop."""
    from ops.stack.specs import Ports
    from ops.stack.supervision import run_cancellable

    configured = settings()
    host = args.host or configured.http.host
    if args.free_ports:
        ports = Ports.free(host)
    elif args.port_base:
        ports = Ports.from_base(args.port_base)
    else:
        ports = Ports.from_settings(configured)
    ports = ports.with_choices({name: getattr(args, f"{name}_port") for name in SERVICE_PORTS})
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        run_cancellable(_run(args, host, ports))
    return 0


async def _run(args: argparse.Namespace, host: str, ports: "Ports") -> None:
    from rich.console import Console

    from ops.stack.single_process import in_one_process
    from ops.stack.specs import AUTH, stages
    from ops.stack.supervision import supervised
    from ops.stack.up_display import UpDisplay

    data_dir: Path = args.data_dir.resolve()
    environment = {**os.environ, AUTH: "off"} if args.no_auth else dict(os.environ)
    if args.single_process:
        ports = ports.of_one_process()
    plan = stages(data_dir, host, ports, environment)
    if args.single_process:
        plan = in_one_process(plan, host, ports)
    if args.gateway:
        # Here, because it reads the routes of every service, which takes seconds.
        from ops.stack.gateway import with_gateway

        plan = with_gateway(plan, data_dir, host, ports)
    with UpDisplay(Console(highlight=False), data_dir) as display:
        async with supervised(data_dir, plan, display.show) as supervisor:
            display.all_ready(supervisor)
            try:
                await asyncio.Event().wait()
            finally:
                display.stopping()
