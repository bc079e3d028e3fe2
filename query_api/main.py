"""Starts the query API: `eventfold query-api`."""

import os
import sys

from infrastructure.http_service import serve
from infrastructure.settings import InvalidSettings, load_settings
from infrastructure.telemetry import start_telemetry
from query_api.app import query_api


def main() -> int:
    """Serves until SIGTERM; answers the exit code."""
    try:
        settings = load_settings(os.environ)
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 2
    start_telemetry("query_api", settings)
    return serve(query_api(settings), settings, settings.query_api_port, "query_api_port")


if __name__ == "__main__":
    sys.exit(main())
