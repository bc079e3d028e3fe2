"""What a service says of itself: JSON log lines, spans, and the trace context that goes into events."""

import json

from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.services import TINY, node_uri, running, start_node

LAMP = {"room": "kitchen", "watts": 60}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


async def test_a_command_continues_its_callers_trace_into_the_event(tmp_path):
    node = await start_node(tmp_path)
    async with running(
        "command_api", tmp_path, domain=TINY, eventstore_uri=node_uri(node.port), OTEL_TRACES_EXPORTER="console"
    ) as api:
        async with (
            http_session(api.url) as http,
            http.put("/lamps/l-1", json=LAMP, headers={"traceparent": TRACE}) as installed,
        ):
            assert installed.status == 201
        assert await api.stop() == 0
        lines = [json.loads(line) for line in api.log.read_text().splitlines()]
    (span,) = [line for line in lines if line.get("name") == "InstallLamp"]
    assert span["context"]["trace_id"] == f"0x{TRACE_ID}"
    store = EventStore(node_uri(node.port))
    (event,) = await store.read_stream("lamp-l-1")
    await store.close()
    await node.kill()
    _, trace_id, span_id, _ = json.loads(event.metadata)["traceparent"].split("-")
    assert trace_id == TRACE_ID
    assert f"0x{span_id}" == span["context"]["span_id"]


async def test_logs_are_json_lines_that_name_their_service(tmp_path):
    async with running("command_api", tmp_path, domain=TINY) as api:
        await api.stop()
        lines = [json.loads(line) for line in api.log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["serving", "stopped"]
    assert all(line["service"] == "command_api" and line["level"] == "info" and line["time"] for line in lines)
    assert lines[0]["port"] == api.port
