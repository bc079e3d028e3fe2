"""Starts the process manager: `eventfold process-manager`."""

import sys
from functools import partial

from infrastructure.application import Application
from infrastructure.http.server import run_service
from process_manager.service import SERVICE, create_process_manager


def main(application: Application) -> int:
    """Runs processes until SIGTERM or SIGINT; returns the exit code (2 when the application has none)."""
    if not application.processes:
        print("the application has no processes", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    return run_service(SERVICE, partial(create_process_manager, application), in_batches=True)
