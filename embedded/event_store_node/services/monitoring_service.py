"""The Monitoring service: a stream of a few figures about the process and the log."""

import asyncio
import os
import resource
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from embedded.event_store_node.log.broker import Broker, BrokerClosedError
from embedded.event_store_node.services.protobuf_messages import StatsReq, StatsResp
from embedded.event_store_node.services.reporting import reporting

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "event_store.client.monitoring.Monitoring"
METHODS = ("Stats",)

_SHORTEST_PERIOD_SECONDS = 0.1


class MonitoringService:
    """Serves the node's figures, under the names that the real server has for them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._started = datetime.now(UTC)
        self._closed = asyncio.Event()

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Stats": grpc.unary_stream_rpc_method_handler(
                self.Stats,
                request_deserializer=StatsReq.FromString,
                response_serializer=StatsResp.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def close(self) -> None:
        """End the calls: the node is shutting down."""
        self._closed.set()

    async def Stats(self, request: Any, context: Context) -> None:
        period = max(request.refresh_time_period_in_ms / 1000, _SHORTEST_PERIOD_SECONDS)
        async with reporting(context):
            while True:
                await context.write(StatsResp(stats=self._figures()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), period)
                    raise BrokerClosedError

    def _figures(self) -> dict[str, str]:
        position = str(self._broker.last_position)
        return {
            "proc-id": str(os.getpid()),
            "proc-startTime": f"{self._started:%Y-%m-%dT%H:%M:%S.%fZ}",
            "proc-mem": str(_resident_bytes()),
            "proc-cpuSeconds": f"{time.process_time():.3f}",
            "proc-threadsCount": str(threading.active_count()),
            "sys-loadavg-1m": f"{os.getloadavg()[0]:.2f}",
            "es-checksum": position,
            "es-checksumNonFlushed": position,
        }


def _resident_bytes() -> int:
    """The memory that the process holds; where that is not told, the most that it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * os.sysconf("SC_PAGE_SIZE")
