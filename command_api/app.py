"""The command API as an application."""

from litestar import Litestar

from command_api.aggregates import Aggregates
from command_api.pipeline import Pipeline
from command_api.routes import command_routes
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency
from infrastructure.http.service import closing, create_app
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.settings import Settings


def command_api(application: Application, settings: Settings) -> Litestar:
    """Built from the application's aggregates; connects to the event store at the first command."""
    store, keys = EventStore.from_settings(settings), personal_keys(settings)
    codec = EventCodec(application.aggregates, keys=keys)
    aggregates = Aggregates(store, codec, settings.commands.aggregate_cache_size)
    pipeline = Pipeline(store, codec, aggregates, settings.commands.conflict_retries)
    return create_app(
        "Eventfold command API",
        command_routes(application.aggregates, pipeline),
        {"event_store": Dependency(store.ping, lambda: store.circuit), **key_store_dependency(keys)},
        settings,
        lifespan=[key_store_checked(keys), closing(aggregates.close, store.close, keys.close)],
    )
