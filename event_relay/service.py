"""The event relay: its stores, its coordinator, its operators' HTTP."""

import asyncio
from pathlib import Path

from litestar import Litestar

from event_relay.deliveries import delivery_of
from event_relay.destinations import Destination, read_destinations
from event_relay.former import FormerDestinations
from event_relay.http.destinations import destination_routes
from event_relay.http.events import event_routes
from event_relay.pauses import Pauses
from event_relay.relay import Delivery
from event_relay.stream import EventStream
from event_relay.workload import RelayWorkload
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency, outside
from infrastructure.http.repeating import repeating
from infrastructure.http.service import create_app
from infrastructure.integration.publisher import Publisher
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.following.follower import Follower
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

SERVICE = "event_relay"


def create_event_relay(application: Application, settings: Settings) -> Litestar:
    """The service: any number of its processes share the partitions of the destinations. Raises InvalidSettings."""
    publisher = Publisher(application.publications)
    delivered = _deliveries(settings, publisher)
    destinations = [one for one, _ in delivered]
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    stop = asyncio.Event()
    given = settings.consumers
    workload = RelayWorkload(read_store, delivered, publisher, given.partitions, quiet=3 * given.lease)
    keys = personal_keys(settings)
    codec = EventCodec(application.aggregates, application.processes, keys)
    coordinator = create_coordinator(SERVICE, workload, event_store, codec, read_store, settings, stop)
    catalogue = PlainCatalogue(ConsumerRecords(read_store), workload.names)
    reader = StatusReader(coordinator, read_store, event_store)
    resetting = Resetting(read_store, event_store, coordinator.changed)
    former = FormerDestinations(read_store, workload.names, coordinator.heartbeat, coordinator.changed)
    stream = EventStream(event_store, codec, publisher, lasts=settings.relay.stream_lasts)
    desk = DeadLetterDesk(read_store, catalogue, coordinator.changed, event_store, timeout=REPLAY_TIMEOUT)
    routes = [
        *event_routes(stream, publisher, event_store),
        *destination_routes(
            destinations, reader, catalogue, former, Pauses(read_store), resetting, coordinator.changed
        ),
        *dead_letter_routes(desk),
        drain_route(Draining(coordinator, catalogue, read_store, event_store)),
    ]
    probes = {
        "event_store": Dependency(event_store.ping, lambda: event_store.circuit),
        "read_store": Dependency(read_store.ping, lambda: read_store.circuit),
        **key_store_dependency(keys),
        **outside(webhook.policy for _, webhook in delivered),
        "consumers": Dependency(consumers_run(coordinator)),
    }

    def served(consumer: str) -> Follower | None:
        return next((one for one in coordinator.followers.running if one.consumer.name == consumer), None)

    watch = LagWatch(workload.names, catalogue, StatusReader(coordinator, read_store, event_store, counted=COUNTED))
    groups = GroupWatch(workload.names, desk.groups, PARKED_IN_GROUP)
    show_gauges(workload.names, served, watch.seen)
    closers = [*(webhook.close for _, webhook in delivered), event_store.close, read_store.close, keys.close]
    return create_app(
        "Eventfold event relay",
        routes,
        probes,
        settings,
        lifespan=[
            key_store_checked(keys),
            running(coordinator, stop, settings.http.shutdown_grace, *closers),
            repeating(watch.look, settings.telemetry.metrics_interval),
            repeating(groups.look, settings.telemetry.metrics_interval),
        ],
        on_stop=[stream.stop],
    )


def _deliveries(settings: Settings, publisher: Publisher) -> list[tuple[Destination, Delivery]]:
    """None without a file: server-sent events need no destination."""
    if not settings.relay.destinations:
        return []
    path = Path(settings.relay.destinations)
    public_only = settings.relay.public_only == "on"
    return [(one, delivery_of(one, path.parent, public_only)) for one in read_destinations(path, publisher.types)]
