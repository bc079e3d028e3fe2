"""A single-node event store that speaks the EventStoreDB gRPC protocol, on SQLite."""

from embedded.event_store_node.node import EventStoreNode

__all__ = ["EventStoreNode"]
