"""Starts the signing page: `eventfold signing-page`."""

from infrastructure.application import Application
from infrastructure.http.server import run_service
from signing_page.app import signing_page


def main(_application: Application) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    return run_service("signing_page", signing_page)
