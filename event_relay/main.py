"""Starts the event relay: `eventfold event-relay`."""

import sys
from functools import partial

from event_relay.service import SERVICE, create_event_relay
from infrastructure.application import Application
from infrastructure.http.server import run_service


def main(application: Application) -> int:
    """Publishes until SIGTERM or SIGINT; returns the exit code (2 when the application publishes nothing)."""
    if not application.publications:
        print("the application publishes nothing", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    return run_service(SERVICE, partial(create_event_relay, application), in_batches=True)
