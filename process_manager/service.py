"""The process manager as a service: its stores, its coordinator, the commands' way out, its operators' HTTP."""

import asyncio

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency, outside
from infrastructure.http.repeating import repeating
from infrastructure.http.service import create_app
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.commands import CommandClient
from infrastructure.personal_data import personal_keys
from infrastructure.personal_data.service import key_store_checked, key_store_dependency
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from process_manager.choreographies.chains import ChainReader
from process_manager.http.choreographies import choreography_routes
from process_manager.http.instances import instance_routes
from process_manager.instances.gauges import InstanceGauges
from process_manager.instances.index import InstanceIndex
from process_manager.instances.operating import InstanceOperations
from process_manager.instances.reaction import Routes
from process_manager.instances.streams import ACTOR
from process_manager.running.consumer import ProcessConsumer
from process_manager.running.runner import Surroundings
from process_manager.running.workload import ProcessWorkload
from subscriptions.coordination.plain_workload import ConsumerRecords
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

SERVICE = "process_manager"


def create_process_manager(application: Application, settings: Settings, calls: Calls = OVER_NETWORK) -> Litestar:
    """The service: any number of its processes share the partitions of the application's processes."""
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    stop, keys = asyncio.Event(), personal_keys(settings)
    codec = EventCodec(application.aggregates, application.processes, keys)
    sender, index = CommandClient.from_settings(settings, ACTOR, calls=calls), InstanceIndex(read_store)
    around = Surroundings(
        event_store,
        codec,
        index,
        sender,
        Routes(application.aggregates),
        concurrency=settings.processes.concurrency,
        patience=settings.processes.patience,
    )
    consumers = [ProcessConsumer(process, around) for process in application.processes]
    workload = ProcessWorkload(read_store, consumers, settings.consumers.partitions, quiet=3 * settings.consumers.lease)
    coordinator = create_coordinator(SERVICE, workload, event_store, codec, read_store, settings, stop)
    catalogue = PlainCatalogue(ConsumerRecords(read_store), workload.names)
    desk = DeadLetterDesk(read_store, catalogue, coordinator.changed, event_store, timeout=REPLAY_TIMEOUT)
    routes = [
        *instance_routes(InstanceOperations(event_store, codec, application.processes), index),
        *choreography_routes(ChainReader(event_store, codec, application.choreographies)),
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
        "processes": Dependency(consumers_run(coordinator)),
        **outside([sender.policy]),
    }

    def served(consumer: str) -> Follower | None:
        return next((one for one in coordinator.followers.running if one.consumer.name == consumer), None)

    watch = LagWatch(workload.names, catalogue, StatusReader(coordinator, read_store, event_store, counted=COUNTED))
    groups = GroupWatch(workload.names, desk.groups, PARKED_IN_GROUP)
    show_gauges(workload.names, served, watch.seen)
    instances = InstanceGauges(application.processes, index)
    closers = (workload.close, sender.close, event_store.close, read_store.close, keys.close)
    return create_app(
        "Eventfold process manager",
        routes,
        probes,
        settings,
        lifespan=[
            key_store_checked(keys),
            running(coordinator, stop, settings.http.shutdown_grace, *closers),
            *(repeating(one.look, settings.telemetry.metrics_interval) for one in (watch, instances, groups)),
        ],
    )
