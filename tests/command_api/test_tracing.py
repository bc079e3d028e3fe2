"""Traces of a real command API: exported by OTLP, sampled as the variables say, and never in the way of a request."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest_asyncio

from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.otlp_receiver import hanging_receiver, otlp_receiver
from tests.support.ports import free_port
from tests.support.services import TINY, Service, node_uri, running, start_node, until

LAMP = {"room": "kitchen", "watts": 60}
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-01", f"00-{TRACE_ID}-{PARENT_ID}-00"
AWAY = "spans are lost: the collector does not take them"
FOR_EVER = "600"
"""Seconds. What waited for a collector that long would never end within a test."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: Any) -> AsyncIterator[Service]:
    node = await start_node(tmp_path_factory.mktemp("tracing"))
    yield node
    await node.kill()


class Api:
    """A command API with these variables, and the log behind it."""

    def __init__(self, service: Service, store: EventStore) -> None:
        self.service = service
        self._store = store

    async def install(self, traceparent: str | None = None) -> str:
        """Installs a lamp; the trace that its event names."""
        lamp, headers = f"l-{uuid4()}", {} if traceparent is None else {"traceparent": traceparent}
        async with (
            http_session(self.service.url) as http,
            http.put(f"/lamps/{lamp}", json=LAMP, headers=headers) as installed,
        ):
            assert installed.status == 201, await installed.text()
        (event,) = await self._store.read_stream(f"lamp-{lamp}")
        return str(json.loads(event.metadata).get("traceparent", ""))

    def said(self, what: str) -> list[str]:
        """Those lines of its log."""
        return [line for line in self.service.log.read_text().splitlines() if what in line]


@asynccontextmanager
async def api_of(node: Service, tmp_path: Any, **variables: str) -> AsyncIterator[Api]:
    store = EventStore(node_uri(node.port))
    async with running(
        "command_api", tmp_path, domain=TINY, eventstore_uri=node_uri(node.port), **variables
    ) as service:
        yield Api(service, store)
    await store.close()


async def test_spans_of_a_command_come_by_otlp_and_its_event_names_the_commands_span(node, tmp_path):
    async with otlp_receiver() as receiver, api_of(node, tmp_path, **receiver.environ) as api:
        carried = await api.install(SAMPLED)
        # Whatever is left is exported at the end.
        assert await api.service.stop() == 0
    request, command, append = (
        receiver.named(name)[0] for name in ("PUT /lamps/{lamp_id}", "InstallLamp", "append lamp")
    )
    assert {span.trace for span in receiver.spans} == {TRACE_ID}
    assert (request.parent, command.parent, append.parent) == (PARENT_ID, request.id, command.id)
    assert carried.split("-")[1:3] == [TRACE_ID, command.id]
    assert request.service == "eventfold-command-api"


async def test_the_client_says_whether_its_trace_is_sampled(node, tmp_path):
    async with otlp_receiver() as receiver, api_of(node, tmp_path, **receiver.environ) as api:
        carried = await api.install(NOT_SAMPLED)
        assert await api.service.stop() == 0
    assert receiver.spans == []
    assert carried.split("-")[1] == TRACE_ID
    assert int(carried.split("-")[3], 16) & 1 == 0


async def test_a_share_of_what_begins_here_is_sampled_and_its_events_say_so(node, tmp_path):
    share = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    async with otlp_receiver() as receiver, api_of(node, tmp_path, **receiver.environ, **share) as api:
        carried = [await api.install() for _ in range(64)]
        assert await api.service.stop() == 0
    sampled = {one.split("-")[1] for one in carried if int(one.split("-")[3], 16) & 1}
    assert {span.trace for span in receiver.spans} == sampled
    # Of 64 at a share of a half, fewer than 10 or more than 54 come once in a hundred million times.
    assert 10 <= len(sampled) <= 54


async def test_a_collector_that_is_away_is_said_once_and_delays_nothing(node, tmp_path):
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_SCHEDULE_DELAY": "10"}
    async with api_of(node, tmp_path, **nobody, OTEL_EXPORTER_OTLP_TIMEOUT="1") as api:

        async def is_said() -> bool:
            await api.install()
            return bool(api.said(AWAY))

        await until(is_said, "the log says that spans are lost")
        for _ in range(20):
            await api.install()
        assert await api.service.stop() == 0
        assert len(api.said(AWAY)) == 1
        assert api.said("opentelemetry") == []
        assert api.said("Traceback") == []


async def test_a_collector_that_hangs_delays_neither_a_request_nor_the_exit(node, tmp_path):
    async with hanging_receiver() as port:
        hanging = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": FOR_EVER,
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            # More spans come than have a place: the oldest are dropped, and nothing waits.
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        }
        async with api_of(node, tmp_path, **hanging) as api:
            for _ in range(20):
                await api.install()
            assert await api.service.stop() == 0
            assert api.said("opentelemetry") == []


async def test_while_tracing_is_off_the_clients_trace_is_kept_and_none_is_made(node, tmp_path):
    async with (
        otlp_receiver() as receiver,
        api_of(node, tmp_path, **receiver.environ, OTEL_TRACES_EXPORTER="none") as api,
    ):
        assert await api.install(SAMPLED) == SAMPLED
        assert await api.install() == ""
        assert await api.service.stop() == 0
    assert receiver.requests == 0
