"""The service that runs the application's own consumers: its stores, its coordinator, its operators' HTTP."""

import asyncio

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency, outside
from infrastructure.http.repeating import repeating
from infrastructure.http.service import create_app
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from subscriptions.consumer import Consumer
from subscriptions.coordination.plain_workload import ConsumerRecords, PlainWorkload
from subscriptions.following.follower import Follower
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
from subscriptions.process import REPLAY_TIMEOUT, consumers_run, create_coordinator, running

SERVICE = "consumers"


def create_consumers(application: Application, settings: Settings, calls: Calls = OVER_NETWORK) -> Litestar:
    """The service: any number of its processes share the partitions of the application's consumers."""
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    stop = asyncio.Event()
    consumers: list[Consumer] = [create(read_store, calls) for create in application.consumers]
    workload = PlainWorkload(read_store, consumers, settings.consumers.partitions, quiet=3 * settings.consumers.lease)
    keys = personal_keys(settings)
    codec = EventCodec(application.aggregates, application.processes, keys)
    coordinator = create_coordinator(SERVICE, workload, event_store, codec, read_store, settings, stop)
    catalogue = PlainCatalogue(ConsumerRecords(read_store), workload.names)
    desk = DeadLetterDesk(read_store, catalogue, coordinator.changed, event_store, timeout=REPLAY_TIMEOUT)
    routes = [
        *consumer_routes(
            StatusReader(coordinator, read_store, event_store),
            catalogue,
            Resetting(read_store, event_store, coordinator.changed),
            paths=("/status", "/consumers"),
        ),
        *dead_letter_routes(desk),
        drain_route(Draining(coordinator, catalogue, read_store, event_store)),
    ]
    probes = {
        "event_store": Dependency(event_store.ping, lambda: event_store.circuit),
        "read_store": Dependency(read_store.ping, lambda: read_store.circuit),
        **key_store_dependency(keys),
        **outside(policy for consumer in consumers for policy in consumer.outside()),
        "consumers": Dependency(consumers_run(coordinator)),
    }

    def served(consumer: str) -> Follower | None:
        return next((one for one in coordinator.followers.running if one.consumer.name == consumer), None)

    watch = LagWatch(workload.names, catalogue, StatusReader(coordinator, read_store, event_store, counted=COUNTED))
    groups = GroupWatch(workload.names, desk.groups, PARKED_IN_GROUP)
    show_gauges(workload.names, served, watch.seen)
    closers = [*(consumer.close for consumer in consumers), event_store.close, read_store.close, keys.close]
    return create_app(
        "Eventfold consumers",
        routes,
        probes,
        settings,
        lifespan=[
            key_store_checked(keys),
            running(coordinator, stop, settings.http.shutdown_grace, *closers),
            repeating(watch.look, settings.telemetry.metrics_interval),
            repeating(groups.look, settings.telemetry.metrics_interval),
        ],
    )
