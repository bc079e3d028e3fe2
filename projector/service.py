"""The projector as a service: stores, the process that folds the views, and the HTTP application around it."""

import asyncio
from typing import Any

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency
from infrastructure.http.repeating import repeating
from infrastructure.http.service import create_app
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from projector.builds.catalogue import ViewCatalogue
from projector.builds.document_counts import COUNTED_EVERY, DocumentCounts
from projector.http.status import ViewStatusReader
from projector.http.views import view_routes
from projector.process import ProjectorProcess, create_projector_process
from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.http.consumers import consumer_routes
from subscriptions.http.dead_letters import dead_letter_routes
from subscriptions.http.drain import drain_route
from subscriptions.metrics import PARKED_IN_GROUP
from subscriptions.operating.dead_letter_desk import DeadLetterDesk
from subscriptions.operating.draining import Draining
from subscriptions.operating.gauges import show_gauges
from subscriptions.operating.group_watch import GroupWatch
from subscriptions.operating.lag_watch import COUNTED, LagWatch
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.resetting import Resetting
from subscriptions.operating.status import StatusReader
from subscriptions.ports import DocumentStore
from subscriptions.process import REPLAY_TIMEOUT, STUCK_AFTER, consumers_run, running


def create_projector(application: Application, settings: Settings) -> Litestar:
    """The service: the process starts and stops with the HTTP application."""
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    stop, keys = asyncio.Event(), personal_keys(settings)
    codec = EventCodec(application.aggregates, application.processes, keys)
    process = create_projector_process(event_store, codec, read_store, application.views, settings, stop)
    names = process.workload.names
    catalogue = ViewCatalogue(process.workload.registry, names, PlainCatalogue(ConsumerRecords(read_store)))
    watch = LagWatch(names, catalogue, StatusReader(process.coordinator, read_store, event_store, counted=COUNTED))
    show_gauges(names, process.live, watch.seen)
    counts = DocumentCounts(names, catalogue, read_store)
    desk = DeadLetterDesk(read_store, catalogue, process.coordinator.changed, event_store, timeout=REPLAY_TIMEOUT)
    interval = settings.telemetry.metrics_interval
    return create_app(
        "Eventfold projector",
        projector_routes(process, event_store, read_store, settings, desk),
        {
            "event_store": Dependency(event_store.ping, lambda: event_store.circuit),
            "read_store": Dependency(read_store.ping, lambda: read_store.circuit),
            **key_store_dependency(keys),
            "views": Dependency(consumers_run(process.coordinator, stuck_after=STUCK_AFTER)),
        },
        settings,
        lifespan=[
            key_store_checked(keys),
            running(
                process.coordinator,
                stop,
                settings.http.shutdown_grace,
                event_store.close,
                read_store.close,
                keys.close,
            ),
            repeating(watch.look, interval),
            repeating(GroupWatch(names, desk.groups, PARKED_IN_GROUP).look, interval),
            repeating(counts.look, COUNTED_EVERY * interval),
        ],
    )


def projector_routes(
    process: ProjectorProcess,
    event_store: EventStore,
    store: DocumentStore,
    settings: Settings,
    desk: DeadLetterDesk,
) -> list[Any]:
    """Every route of the projector over a running process."""
    workload, coordinator = process.workload, process.coordinator
    others = PlainCatalogue(ConsumerRecords(store))
    catalogue = ViewCatalogue(workload.registry, workload.names, others)
    reader = StatusReader(coordinator, store, event_store)
    grace = int(settings.projector.view_grace * 1000)
    return [
        *view_routes(coordinator, workload, ViewStatusReader(workload, reader, others), store, grace),
        *consumer_routes(reader, others, Resetting(store, event_store, coordinator.changed)),
        *dead_letter_routes(desk),
        drain_route(Draining(coordinator, catalogue, store, event_store)),
    ]
