"""Puts the projector together: stores, one projection for each view, the engine, and the HTTP application around it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar

from infrastructure.event_store import EventStore
from infrastructure.health import Probe
from infrastructure.http_service import create_app
from infrastructure.read_store import ReadStore
from infrastructure.resilience import backoff
from infrastructure.settings import Settings
from projector import metrics
from projector.checkpoints import Checkpoints
from projector.engine import Engine
from projector.lag import lag_seconds
from projector.patience import Delays, PatientStore
from projector.ports import DocumentStore, EventLog
from projector.projection import Projection
from projector.routes import routes
from read_models.view import View
from read_models.views import VIEWS

FAILURE_LIMIT = 100
"""How many keys may fail in a row before the view's fold is taken to be at fault, rather than the events."""


class NotReady(Exception):
    """Why the projector can't do its work, for /health/ready."""


def create_engine(
    event_log: EventLog,
    store: DocumentStore,
    views: Sequence[View],
    settings: Settings,
    stop: asyncio.Event,
    delays: Delays = backoff,
) -> Engine:
    """An engine over all the views; it ends when `stop` is set."""
    projections = [
        Projection(
            view,
            PatientStore(store, stop, view.name, delays),
            capacity=settings.projector_cache,
            failure_limit=FAILURE_LIMIT,
        )
        for view in views
    ]
    checkpoints = Checkpoints(PatientStore(store, stop, "checkpoints", delays))
    return Engine(event_log, projections, checkpoints, stop, buffer=settings.projector_batch, delays=delays)


def create_projector(settings: Settings, views: Sequence[View] = VIEWS) -> Litestar:
    """The service: the engine starts and stops with the HTTP application."""
    event_store = EventStore(
        settings.eventstore_uri, patience=settings.eventstore_patience, deadline=settings.eventstore_deadline
    )
    read_store = ReadStore(settings.mongo_uri, settings.mongo_database, timeout=settings.readstore_timeout)
    stop = asyncio.Event()
    engine = create_engine(event_store, read_store, views, settings, stop)

    @asynccontextmanager
    async def running(_app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(engine.run())
        try:
            yield
        finally:
            stop.set()
            await _finish(task, settings.shutdown_grace)
            await event_store.close()
            await read_store.close()

    probes: dict[str, Probe] = {
        "event_store": event_store.ping,
        "read_store": read_store.ping,
        "views": _views_run(engine),
    }
    for projection in engine.projections:
        metrics.LAG.labels(projection.view.name).set_function(lag_seconds(projection))
    return create_app(
        "Eventfold projector", routes(engine, event_store, read_store), probes, settings, lifespan=[running]
    )


async def _finish(task: "asyncio.Task[None]", grace: float) -> None:
    """Lets the batch at hand be finished, within `grace` seconds: what is cut off is done again at the next start."""
    await asyncio.wait({task}, timeout=grace)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _views_run(engine: Engine) -> Probe:
    async def probe() -> None:
        stopped = [f"{one.view.name} is stopped: {one.broken}" for one in engine.projections if one.broken]
        if stopped:
            raise NotReady("; ".join(stopped))
        waiting = [f"{one.view.name}: {one.store.trouble}" for one in engine.projections if one.store.trouble]
        if waiting or engine.trouble:
            raise NotReady("; ".join(waiting) or engine.trouble)

    return probe
