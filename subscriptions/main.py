"""Starts the service of the application's own consumers: `eventfold consumers`."""

import sys
from functools import partial

from infrastructure.application import Application
from infrastructure.http.server import run_service
from subscriptions.service import SERVICE, create_consumers


def main(application: Application) -> int:
    """Follows the log until SIGTERM or SIGINT; answers the exit code (2 when there is nothing to follow it for)."""
    if not application.consumers:
        print("the application has no consumers of its own", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    return run_service(SERVICE, partial(create_consumers, application), in_batches=True)
