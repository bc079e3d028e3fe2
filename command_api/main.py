"""Starts the command API: `eventfold command-api`."""

import os
import sys

from command_api.app import command_api
from infrastructure.http_service import serve
from infrastructure.settings import InvalidSettings, load_settings
from infrastructure.telemetry import start_telemetry


def main() -> int:
    """Serves until SIGTERM; answers the exit code."""
    try:
        settings = load_settings(os.environ)
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    start_telemetry("command_api", settings)
    return serve(command_api(settings), settings, settings.command_api_port, "command_api_port")


if __name__ == "__main__":
    sys.exit(main())
