"""Starts the query API: `eventfold query-api`."""

from functools import partial

from infrastructure.application import Application
from infrastructure.http.server import run_service
from query_api.app import query_api


def main(application: Application) -> int:
    """Serves until SIGTERM or SIGINT; answers the exit code."""
    return run_service("query_api", partial(query_api, application))
