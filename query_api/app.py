"""The query API as an application."""

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.http.service import closing, create_app
from infrastructure.settings import Settings
from query_api.handlers import handler
from query_api.routes import ROUTES
from query_api.sources import Sources


def query_api(application: Application, settings: Settings) -> Litestar:
    """Built from the list of routes; connects to the stores at the first request."""
    sources = Sources(application, settings)
    return create_app(
        "Eventfold query API",
        [handler(route, sources) for route in ROUTES],
        {"read_store": sources.read_store.ping, "event_store": sources.events.ping},
        settings,
        lifespan=[closing(sources.close)],
        on_stop=[sources.checkpoints.stop],
    )
