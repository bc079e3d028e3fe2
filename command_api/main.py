"""Starts the command API: `eventfold command-api`."""

import sys

from command_api.app import command_api
from infrastructure.http_server import run_service


def main() -> int:
    """Serves until SIGTERM or SIGINT; answers the exit code."""
    return run_service("command_api", command_api)


if __name__ == "__main__":
    sys.exit(main())
