"""Starts the query API: `eventfold query-api`."""

import sys

from infrastructure.http_server import run_service
from query_api.app import query_api


def main() -> int:
    """Serves until SIGTERM or SIGINT; answers the exit code."""
    return run_service("query_api", query_api)


if __name__ == "__main__":
    sys.exit(main())
