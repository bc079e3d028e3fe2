"""What the node shows to Prometheus, over HTTP on a port of its own: its other port speaks gRPC alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from embedded.event_store_node.listening import PortTakenError
from embedded.event_store_node.node import EventStoreNode


class _NodeCollector(Collector):
    """Reads the node's figures when it is asked. It runs in the HTTP server's threads."""

    def __init__(self, node: EventStoreNode) -> None:
        self._node = node

    def collect(self) -> Iterator[GaugeMetricFamily]:
        node, directory = self._node, self._node.data_dir
        assert directory is not None, "the node has been started"
        disk = shutil.disk_usage(directory)
        for name, help_text, value in (
            (
                "log_position",
                "Commit position of the log's newest event, which is its size in bytes",
                node.last_position,
            ),
            ("log_file_bytes", "Size of the files of the log on disk", _size(directory)),
            ("disk_free_bytes", "What is free on the disk that the log is on", disk.free),
            ("disk_size_bytes", "Size of the disk that the log is on", disk.total),
            ("accepts_writes", "1, or 0 once the log was found damaged", float(node.accepts_writes)),
        ):
            yield GaugeMetricFamily(f"eventfold_node_{name}", help_text, value)


def node_registry(node: EventStoreNode) -> CollectorRegistry:
    """All that is measured of a node that has been started, and of its process."""
    registry = CollectorRegistry()
    registry.register(_NodeCollector(node))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def serve_metrics(node: EventStoreNode, host: str, port: int) -> None:
    """Serves /metrics until the process ends. Raises PortTakenError."""
    try:
        start_http_server(port, host, node_registry(node))
    except OSError as error:
        raise PortTakenError(f"{host}:{port} cannot be listened on for metrics: {error.strerror}") from error


def _size(directory: Path) -> int:
    """Of the files in the directory; one that goes away meanwhile counts nothing."""
    total = 0
    for file in directory.iterdir():
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total
