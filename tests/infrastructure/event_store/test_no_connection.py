"""Subscriptions for which there is no connection: nobody listens, no such name, no answer, a proxy."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.event_store.connection import Connection
from infrastructure.event_store.http2 import call
from tests.infrastructure.event_store.scripted_server import serving
from tests.infrastructure.event_store.test_reader import closed, http2_store, next_positions

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def only_this_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong meets this reader, which would leave the rest to grpcio."""
    monkeypatch.setattr(Connection, "read_by_grpc", lambda self, because: None)


@pytest.mark.usefixtures("only_this_reader")
async def test_nobody_listens():
    async with serving(closed) as uri:
        pass
    store = http2_store(uri)
    with pytest.raises(EventStoreUnavailable, match="127"):
        await next_positions(store)


@pytest.mark.usefixtures("only_this_reader")
async def test_a_name_that_cannot_be():
    with pytest.raises(EventStoreUnavailable):
        await next_positions(http2_store("esdb://x..y:2113?Tls=false"))


@pytest.mark.usefixtures("only_this_reader")
async def test_a_connection_that_is_never_made(monkeypatch):
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(call, "_CONNECT_SECONDS", 0.01)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    with pytest.raises(EventStoreUnavailable, match="no connection within"):
        await next_positions(http2_store("esdb://127.0.0.1:1?Tls=false"))


async def test_a_proxy_is_left_to_grpc_and_said_once(monkeypatch):
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:1")
    store = http2_store("esdb://127.0.0.1:2?Tls=false")
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(EventStoreUnavailable):
                await next_positions(store)
    assert [one["reason"] for one in logs] == ["a proxy"]
    await store.close()
