"""A single-node event store that speaks the EventStoreDB gRPC protocol, on SQLite."""
