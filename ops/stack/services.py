"""One service in the foreground: `eventfold node`, `command-api`, `projector`, `query-api`, and the others."""

import argparse
import importlib
from typing import Any

from infrastructure import garbage

HTTP_SERVICES = {
    "command-api": "takes commands over HTTP and appends their events",
    "projector": "folds the events into the views",
    "query-api": "serves the views over HTTP",
    "consumers": "runs the application's own consumers of the log",
    "process-manager": "runs the application's processes: events in, commands out",
    "event-relay": "publishes integration events to its destinations",
    "inbound": "takes other systems' messages and turns them into commands",
    "payment-webhooks": "takes what the payment and the signing provider tell",
    "signing-page": "shows customers their contracts, to sign or to decline",
}
# The package of a service, where it is not called as the service is.
_PACKAGES = {"consumers": "subscriptions"}


NAMES = frozenset({*HTTP_SERVICES, "node", "payment-provider", "signature-provider", "monolith"})
"""All that runs until it is stopped."""


def add_parser(commands: Any) -> None:
    """Add one sub-command for each service."""
    # The node's own parser knows its options; -h goes there too.
    node = commands.add_parser(
        "node", help="the embedded event store node; also: node backup, restore, verify, user", add_help=False
    )
    node.set_defaults(run=run_node, passes_arguments_on=True)
    # So do those of the providers.
    provider = commands.add_parser("payment-provider", help="the sandbox payment provider", add_help=False)
    provider.set_defaults(run=run_payment_provider, passes_arguments_on=True)
    signing = commands.add_parser("signature-provider", help="the sandbox signing provider", add_help=False)
    signing.set_defaults(run=run_signature_provider, passes_arguments_on=True)
    monolith = commands.add_parser(
        "monolith",
        help="all services in one process, on one port",
        description="All services in one process, on one port: every service's routes under /-/NAME, what customers "
        "use at the root too. With the options of `eventfold node` (--data-dir DIR --port N ...) the event store node "
        "runs in this process as well; without them, the event store is where EVENTFOLD_EVENTSTORE_URI says. Settings "
        "come from EVENTFOLD_* variables.",
    )
    monolith.set_defaults(run=run_monolith, passes_arguments_on=True)
    for name, what in HTTP_SERVICES.items():
        service = commands.add_parser(
            name, help=what, description=f"The service that {what}. Settings come from EVENTFOLD_* variables."
        )
        service.set_defaults(run=run_service)


def run_node(args: argparse.Namespace) -> int:
    """Run the embedded event store node."""
    from embedded.event_store_node.main import main

    return int(main(args.rest))


def run_payment_provider(args: argparse.Namespace) -> int:
    """Run the sandbox payment provider."""
    from embedded.payment_provider.main import main

    return int(main(args.rest))


def run_signature_provider(args: argparse.Namespace) -> int:
    """Run the sandbox signing provider."""
    from embedded.signature_provider.main import main

    return int(main(args.rest))


def run_monolith(args: argparse.Namespace) -> int:
    """Run all services in this process."""
    garbage.hold_off()
    from application import APPLICATION
    from monolith.main import main

    return int(main(APPLICATION, args.rest))


def run_service(args: argparse.Namespace) -> int:
    """Run the HTTP service that the sub-command names; only its own code is imported."""
    garbage.hold_off()
    from application import APPLICATION

    package = _PACKAGES.get(args.command, args.command.replace("-", "_"))
    service = importlib.import_module(f"{package}.main")
    return int(service.main(APPLICATION))
