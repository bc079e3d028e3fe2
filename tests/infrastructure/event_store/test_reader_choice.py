"""Which reader receives subscriptions: ours for the embedded node, grpcio for any other server, unless it is said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from infrastructure.event_store import EventStore, EventStoreUnavailable
from infrastructure.event_store.reader_choice import Reader
from tests.support.ports import free_port
from tests.support.services import node_uri, restart_node, start_node, until

SERVICE = "event_store.client.server_features.ServerFeatures"


async def reads_by_http2(store: EventStore) -> bool:
    """Whether the next subscription is received by our reader."""
    await store._connection.stub()
    return await store._connection.read_target() is not None


@asynccontextmanager
async def other_server(*, implemented: bool) -> AsyncIterator[str]:
    """The URI of a server that is not ours, as far as this reaches: it tells its methods, or it does not."""

    async def methods(_request: bytes, _context: object) -> bytes:
        return b""

    server = grpc.aio.server()
    if implemented:
        handlers = {"GetSupportedMethods": grpc.unary_unary_rpc_method_handler(methods)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield node_uri(port)
    finally:
        await server.stop(0)


@pytest.mark.parametrize(("given", "http2"), [("auto", True), ("http2", True), ("grpc", False)])
async def test_of_the_embedded_node(given: Reader, http2: bool, tmp_path) -> None:
    node = await start_node(tmp_path)
    store = EventStore(node_uri(node.port), reader=given)
    try:
        assert await reads_by_http2(store) is http2
    finally:
        await store.close()
        await node.kill()


@pytest.mark.parametrize("implemented", [True, False])
@pytest.mark.parametrize(("given", "http2"), [("auto", False), ("http2", True)])
async def test_of_any_other_server(given: Reader, http2: bool, implemented: bool) -> None:
    async with other_server(implemented=implemented) as uri:
        store = EventStore(uri, reader=given)
        assert await reads_by_http2(store) is http2
        await store.close()


async def test_a_server_that_is_away_is_asked_again_when_it_is_back(tmp_path) -> None:
    node = await start_node(tmp_path, free_port())
    await node.kill()
    store = EventStore(node_uri(node.port))
    assert not await reads_by_http2(store)
    await restart_node(node)

    async def read() -> bool:
        try:
            return [event async for event in store.read_all()] == []
        except EventStoreUnavailable:  # its connection waits a moment between two attempts
            return False

    try:
        await until(read, "the node can be read")
        assert await reads_by_http2(store)
    finally:
        await store.close()
        await node.kill()
