"""Starts the command API: `eventfold command-api`."""

from functools import partial

from command_api.app import command_api
from infrastructure.application import Application
from infrastructure.http.server import run_service


def main(application: Application) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    return run_service("command_api", partial(command_api, application))
