"""Hostile headers over real HTTP: what of them gets into an event, a log line, a metric, or a response."""

import asyncio
import json
from typing import Any

import pytest
from esdbclient import EventStoreDBClient

from tests.support.services import TINY, node_uri

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAMP = json.dumps({"room": "kitchen", "watts": 60}).encode()
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WORDS = ("Idempotency-Key", "X-Correlation-ID", "Eventfold-Actor")


@pytest.fixture(scope="module")
def domain() -> str:
    return TINY


async def install(api: Any, lamp_id: str, *headers: tuple[str, bytes]) -> tuple[int, bytes]:
    """Installs a lamp with these header lines, byte for byte; the status and the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    lines = [f"PUT /lamps/{lamp_id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()]
    lines += [name.encode() + b": " + value + b"\r\n" for name, value in headers]
    lines += [b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(LAMP), LAMP]
    writer.write(b"".join(lines))
    response = await reader.read()
    writer.close()
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def metadata_of(api: Any, lamp_id: str) -> dict[str, Any]:
    """The metadata of the lamp's only event, as any client of the store reads it."""

    def read() -> bytes:
        client = EventStoreDBClient(node_uri(api.node.port))
        try:
            (event,) = client.get_stream(f"lamp-{lamp_id}")
            return event.metadata
        finally:
            client.close()

    metadata = await asyncio.to_thread(read)
    assert len(metadata) < 1500
    read_back: dict[str, Any] = json.loads(metadata)
    return read_back


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", b"x" * 8_000)],
        [("traceparent", b"\xff\xfe\x00"[:2] * 30), ("tracestate", b"a=1")],
        [("traceparent", TRACEPARENT.upper().encode()), ("tracestate", b"a=1")],
        [("traceparent", TRACEPARENT.encode()), ("traceparent", TRACEPARENT.encode())],
        [("tracestate", b"vendor=1")],
        [("baggage", b"a=" + b"b" * 10_000)],
    ],
    ids=["long", "bytes", "capitals", "twice", "state alone", "baggage"],
)
async def test_malformed_trace_headers_are_dropped(api: Any, lamp_id: str, headers: list[tuple[str, bytes]]) -> None:
    status, _ = await install(api, lamp_id, *headers)
    assert status == 201
    metadata = await metadata_of(api, lamp_id)
    assert set(metadata) == {"schemaVersion", "commandId", "$correlationId", "$causationId", "actor", "chain"}


async def test_trace_headers_that_are_right_are_kept(api: Any, lamp_id: str) -> None:
    long = ",".join(f"vendor{n}={'v' * 90}" for n in range(30))
    status, _ = await install(
        api,
        lamp_id,
        ("TraceParent", TRACEPARENT.encode()),
        ("tracestate", b"first=1,, "),
        ("TRACESTATE", long.encode()),
    )
    assert status == 201
    metadata = await metadata_of(api, lamp_id)
    assert metadata["traceparent"] == TRACEPARENT
    assert metadata["tracestate"] == ",".join(["first=1", *long.split(",")[:5]])


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize(
    "values",
    [[b"x" * 129], [b"a b"], [b"caf\xc3\xa9"], [b"\xe9"], [b"a\tb"], [b""], [b"a", b"b"], [b"a", b"a"], [b"x" * 8000]],
    ids=["129", "space", "utf-8", "latin-1", "tab", "empty", "two", "same twice", "8000"],
)
async def test_a_header_that_its_client_can_mend_is_refused_by_name(
    api: Any, lamp_id: str, name: str, values: list[bytes]
) -> None:
    status, body = await install(api, lamp_id, *((name, value) for value in values))
    problem = json.loads(body)
    assert (status, problem["type"]) == (400, "urn:eventfold:problem:malformed-header")
    assert problem["detail"].startswith(name)
    assert len(body) < 500


async def test_the_longest_that_is_allowed_is_kept_whole(api: Any, lamp_id: str) -> None:
    longest = b"~" * 128
    status, _ = await install(api, lamp_id, *((name, longest) for name in WORDS))
    assert status == 201
    metadata = await metadata_of(api, lamp_id)
    assert [metadata[name] for name in ("commandId", "$correlationId", "actor")] == [longest.decode()] * 3


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([b"*"], 201),
        ([b'"-1"'], 412),
        ([b'"' + b"9" * 64 + b'"'], 412),
        ([b'"a,b", W/"0",'], 412),
        ([b'"0"', b'"1"'], 412),
        ([b'"' + b"9" * 5000 + b'"'], 400),
        ([b'"0"'] * 17, 400),
        ([b"0"], 400),
        ([b'"caf\xe9"'], 400),
        ([b"*", b'"0"'], 400),
        ([b""], 400),
        ([b" " * 5000 + b"x"], 400),
    ],
)
async def test_if_match_is_a_bounded_list_of_tags(api: Any, lamp_id: str, values: list[bytes], status: int) -> None:
    answered, body = await install(api, lamp_id, *(("If-Match", value) for value in values))
    assert answered == status, body
    if status == 400:
        assert json.loads(body)["detail"].startswith("If-Match")
        assert len(body) < 500


async def test_what_a_client_sends_fills_neither_the_log_nor_the_metrics(api: Any, http: Any, lamp_id: str) -> None:
    for header in ("traceparent", "tracestate", *WORDS, "If-Match", "User-Agent", "X-Other"):
        await install(api, lamp_id, ("traceparent", TRACEPARENT.encode()), (header, b"hostile~" * 500))
    async with http.get("/metrics") as response:
        assert "hostile" not in await response.text()
    log = api.log.read_text()
    assert "hostile" not in log
    assert all(len(line) < 4000 for line in log.splitlines())
