"""All services of a node and what works behind them, started and stopped together."""

from collections.abc import Callable

import grpc.aio

from embedded.event_store_node.log.open_log import OpenLog
from embedded.event_store_node.persistent.subsystem import PersistentSubscriptions
from embedded.event_store_node.projections.subsystem import Projections
from embedded.event_store_node.scavenge.history import ScavengeHistory
from embedded.event_store_node.scavenge.scavenger import Scavenger
from embedded.event_store_node.services.gossip_service import GossipService
from embedded.event_store_node.services.monitoring_service import MonitoringService
from embedded.event_store_node.services.operations_service import OperationsService
from embedded.event_store_node.services.persistent_service import PersistentSubscriptionsService
from embedded.event_store_node.services.projections_service import ProjectionsService
from embedded.event_store_node.services.server_features_service import ServerFeaturesService, Service
from embedded.event_store_node.services.streams_service import StreamsService


class Services:
    """
    Serves one log. `gossip` tells clients where it is served; `node` is the name under which scavenges are recorded.
    `shut_down` is to begin the node's end and return at once.
    """

    def __init__(
        self,
        log: OpenLog,
        gossip: GossipService,
        node: str,
        shut_down: Callable[[], None],
        start_standard_projections: bool,
    ) -> None:
        self._log = log
        self.gossip = gossip
        self._shut_down = shut_down
        self.streams = StreamsService(log.writer, log.reader, log.broker)
        self.persistent_subscriptions = PersistentSubscriptions(log.writer, log.reader, log.broker)
        self._monitoring = MonitoringService(log.broker)
        self._projections = Projections(log.writer, log.reader, log.broker, start_standard_projections)
        self._scavenges = ScavengeHistory(log.writer, log.reader, node)
        self.scavenger = Scavenger(log.connect, log.writer, self._scavenges)

    async def start(self, server: grpc.aio.Server, run_projections: bool) -> None:
        """Take up the work where it was left, and add the services to a server that is not started yet."""
        self.persistent_subscriptions.start()
        services: list[Service] = [
            self.streams,
            self.gossip,
            PersistentSubscriptionsService(self.persistent_subscriptions),
            OperationsService(self.scavenger, self._shut_down, self.persistent_subscriptions.restart),
            self._monitoring,
        ]
        if run_projections:
            services.append(ProjectionsService(self._projections, self._log.broker))
            await self._projections.start()
        services.append(ServerFeaturesService(services))
        for service in services:
            service.add_to(server)
        await self._scavenges.close_interrupted()

    async def end_calls(self) -> None:
        """End the calls that clients keep open. The broker must be closed."""
        self.streams.close()
        self._monitoring.close()
        await self.persistent_subscriptions.close()

    async def close(self) -> None:
        """Finish what goes on without a call; the log must still be writable."""
        await self.scavenger.close()
        await self._projections.close()
