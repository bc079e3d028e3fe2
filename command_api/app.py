"""The command API as an application."""

from litestar import Litestar

from command_api.aggregates import Aggregates
from command_api.pipeline import Pipeline
from command_api.routes import command_routes
from domain.aggregates import AGGREGATES
from infrastructure.event_store import EventStore
from infrastructure.http_service import closing, create_app
from infrastructure.settings import Settings


def command_api(settings: Settings) -> Litestar:
    """Built from the domain's list of aggregates; connects to the event store at the first command."""
    store = EventStore(
        settings.eventstore_uri,
        patience=settings.eventstore_patience,
        deadline=settings.eventstore_deadline,
        reader=settings.eventstore_reader,
    )
    aggregates = Aggregates(store, settings.aggregate_cache_size)
    pipeline = Pipeline(store, aggregates, settings.conflict_retries)
    return create_app(
        "Eventfold command API",
        command_routes(AGGREGATES, pipeline),
        {"event_store": store.ping},
        settings,
        lifespan=[closing(store.close)],
    )
