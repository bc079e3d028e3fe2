"""The query API as an application."""

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.document_store import document_store
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency
from infrastructure.http.service import closing, create_app
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from query_api.http.handler import handler
from query_api.read_side import ReadSide
from query_api.routes import all_routes


def query_api(application: Application, settings: Settings) -> Litestar:
    """Built from what the application declares; connects to the stores at the first request."""
    read_store, event_store = ReadStore.from_settings(settings), EventStore.from_settings(settings)
    keys = personal_keys(settings)
    read_side = ReadSide(application, read_store, event_store, settings, keys, document_store(settings, keys))
    return create_app(
        "Eventfold query API",
        [handler(route) for route in all_routes(application, read_side)],
        {
            "read_store": Dependency(read_store.ping, lambda: read_store.circuit),
            "event_store": Dependency(event_store.ping, lambda: event_store.circuit),
            **key_store_dependency(keys),
        },
        settings,
        lifespan=[key_store_checked(keys), closing(read_side.close, keys.close)],
        on_stop=[read_side.checkpoints.stop],
    )
