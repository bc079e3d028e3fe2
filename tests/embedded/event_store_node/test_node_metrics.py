"""What the node shows to Prometheus."""

import pytest
from prometheus_client import generate_latest

from embedded.event_store_node.listening import PortTakenError
from embedded.event_store_node.metrics import node_registry, serve_metrics
from embedded.event_store_node.node import EventStoreNode
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from tests.support.ports import free_port


async def test_the_figures_of_a_node(tmp_path):
    async with EventStoreNode(tmp_path / "log") as node:
        registry = node_registry(node)

        def shown(name: str) -> float:
            found = registry.get_sample_value(f"eventfold_node_{name}")
            assert found is not None, name
            return found

        before = shown("log_position")
        store = EventStore(node.uri)
        event = NewEvent("5a1b2c3d-0000-4000-8000-000000000001", "Happened", b'{"a": 1}', b"{}")
        appended = await store.append("a-1", NO_STREAM, [event])
        await store.close()
        assert shown("log_position") == appended.position > before
        assert shown("log_file_bytes") >= sum(one.stat().st_size for one in (tmp_path / "log").iterdir()) > 0
        assert 0 < shown("disk_free_bytes") < shown("disk_size_bytes")
        assert shown("accepts_writes") == 1
        node._refuse_writes("on purpose")
        assert shown("accepts_writes") == 0
        assert b"process_resident_memory_bytes" in generate_latest(registry)


async def test_a_taken_port_is_named(tmp_path):
    async with EventStoreNode(tmp_path / "log") as node:
        port = free_port()
        serve_metrics(node, "127.0.0.1", port)
        with pytest.raises(PortTakenError, match=rf"127\.0\.0\.1:{port} cannot be listened on for metrics"):
            serve_metrics(node, "127.0.0.1", port)
