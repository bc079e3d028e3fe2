"""Puts the projector together: stores, the engine, and the HTTP application around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Probe
from infrastructure.http.service import create_app
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from projector.engine import Engine
from projector.gauges import show_gauges
from projector.http.routes import routes

OWNERS_PATIENCE = 20.0
"""How long, in seconds, a retry of dead letters waits for the processes that fold the documents."""


class NotReady(Exception):
    """Why the projector can't do its work, for /health/ready."""


def create_projector(application: Application, settings: Settings) -> Litestar:
    """The service: the engine starts and stops with the HTTP application."""
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    stop = asyncio.Event()
    engine = Engine(event_store, read_store, application.views, EventCodec(application.aggregates), settings, stop)

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
        "views": views_run(engine),
    }
    show_gauges(engine)
    return create_app(
        "Eventfold projector", routes(engine, patience=OWNERS_PATIENCE), probes, settings, lifespan=[running]
    )


async def _finish(task: "asyncio.Task[None]", grace: float) -> None:
    """Lets the batch at hand be finished, within `grace` seconds: what is cut off is done again at the next start."""
    await asyncio.wait({task}, timeout=grace)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def views_run(engine: Engine) -> Probe:
    """Fails while a view is stopped by its own fault, or waits for a store."""

    async def probe() -> None:
        if engine.trouble is None and not engine.records:
            raise NotReady("the projector has yet to find out what it is to fold")
        stopped = [f"{one.view.name} is stopped: {one.broken}" for one in engine.projections if one.broken]
        if stopped:
            raise NotReady("; ".join(stopped))
        waiting = [f"{report.shard}: {report.trouble}" for report in engine.workers.reports() if report.trouble]
        if waiting or engine.trouble:
            raise NotReady("; ".join(waiting) or engine.trouble)

    return probe
