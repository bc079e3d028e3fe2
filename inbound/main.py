"""Starts the consumer of other systems' messages: `eventfold inbound`."""

import sys
from functools import partial

from inbound.service import SERVICE, create_inbound
from infrastructure.application import Application
from infrastructure.http.server import run_service


def main(application: Application) -> int:
    """Takes messages until SIGTERM or SIGINT; returns the exit code (2 when the application takes none)."""
    if not application.inbound:
        print("the application takes nothing from other systems", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    return run_service(SERVICE, partial(create_inbound, application))
