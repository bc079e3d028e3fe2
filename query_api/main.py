"""The query API as a process."""

import os

from litestar import Litestar

from infrastructure.http_service import closing, create_app, serve
from infrastructure.settings import Settings, load_settings
from infrastructure.telemetry import start_telemetry
from query_api.handlers import handler
from query_api.routes import ROUTES
from query_api.sources import Sources


def build_app(settings: Settings) -> Litestar:
    """The application: every route, health, metrics and OpenAPI."""
    sources = Sources(settings)
    return create_app(
        "Eventfold query API",
        [handler(route, sources) for route in ROUTES],
        {"read_store": sources.documents.ping, "event_store": sources.events.ping},
        settings,
        lifespan=[closing(sources.close)],
    )


def main() -> int:
    """Serves until told to stop; answers the exit code."""
    settings = load_settings(os.environ)
    start_telemetry("query_api", settings)
    return serve(build_app(settings), settings, settings.query_api_port, "query_api_port")


if __name__ == "__main__":
    raise SystemExit(main())
