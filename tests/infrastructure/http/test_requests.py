"""What is told of every request: a server span, its time by route and status, one line in the log."""

import asyncio
from typing import Any

import pytest
import structlog
from litestar import Litestar, get, post
from litestar.params import FromPath
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY
from structlog.contextvars import bind_contextvars, get_contextvars, merge_contextvars
from structlog.testing import LogCapture, capture_logs

from domain.model.access import PUBLIC
from infrastructure.http.problems import Problem
from infrastructure.http.rules import ACCESS
from infrastructure.http.service import create_app
from infrastructure.settings import Settings
from infrastructure.telemetry import current_trace
from tests.support.tracing import recorded_spans

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@get("/lamps/{lamp_id:str}", opt={ACCESS: PUBLIC})
async def lamp(lamp_id: FromPath[str]) -> dict[str, str | None]:
    if lamp_id == "absent":
        raise Problem(404, "not-found", "There is no such lamp")
    if lamp_id == "broken":
        raise RuntimeError("broken")
    return {"trace": current_trace().traceparent}


@post("/lamps", opt={ACCESS: PUBLIC})
async def install() -> None:
    bind_contextvars(correlation_id="chosen-by-the-server")


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app("Lamps", [lamp, install], {}, Settings.of(auth="off"))


async def ask(app: Litestar, method: str, path: str, *headers: tuple[str, str], **state: Any) -> int:
    """The status; `state` is what stands before has found out about the request."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"secret=word",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "state": state,
        "extensions": {},
    }
    await app(scope, receive, send)
    return int(next(one["status"] for one in sent if one["type"] == "http.response.start"))


def measured(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("eventfold_http_request_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "told", "route", "status"),
    [
        ("GET", "/lamps/l-1", "GET", "/lamps/{lamp_id}", 200),
        ("HEAD", "/lamps/l-1", "HEAD", "/lamps/{lamp_id}", 200),
        ("OPTIONS", "/lamps/l-1", "OPTIONS", "/lamps/{lamp_id}", 204),
        ("GET", "/lamps/absent", "GET", "/lamps/{lamp_id}", 404),
        ("GET", "/lamps/broken", "GET", "/lamps/{lamp_id}", 500),
        ("GET", "/no/such/path", "GET", "unmatched", 404),
        ("DELETE", "/lamps/l-1", "DELETE", "unmatched", 405),
        ("BREW", "/lamps/l-1", "_OTHER", "unmatched", 405),
        ("GET", "/health/live", "GET", "/health/live", 200),
    ],
)
async def test_a_request_is_measured_by_method_route_and_status(
    app: Litestar, method: str, path: str, told: str, route: str, status: int
) -> None:
    before = measured(told, route, status)
    assert await ask(app, method, path) == status
    assert measured(told, route, status) == before + 1
    assert REGISTRY.get_sample_value("eventfold_http_requests_in_flight") == 0


async def test_a_server_span_continues_the_clients_trace_and_names_the_route(app: Litestar) -> None:
    with recorded_spans() as recorded:
        await ask(app, "GET", "/lamps/l-1", ("traceparent", TRACEPARENT), ("tracestate", "vendor=1"))
    (span,) = recorded.spans
    assert (span.name, span.kind) == ("GET /lamps/{lamp_id}", SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert span.context.trace_state.to_header() == "vendor=1"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/lamps/{lamp_id}",
        "http.response.status_code": 200,
        "url.path": "/lamps/l-1",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_a_500_is_a_failed_span_and_a_404_is_none(app: Litestar) -> None:
    with recorded_spans() as recorded:
        await ask(app, "GET", "/lamps/absent")
        await ask(app, "GET", "/lamps/broken")
        await ask(app, "GET", "/no/such/path")
    absent, broken, nowhere = recorded.spans
    assert [one.status.status_code for one in recorded.spans] == [StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET]
    assert (absent.attributes or {})["http.response.status_code"] == 404
    assert (broken.attributes or {})["error.type"] == "500"
    assert nowhere.name == "GET"


async def test_the_time_of_a_request_in_a_trace_names_it_as_an_example(app: Litestar) -> None:
    with recorded_spans():
        await ask(app, "GET", "/lamps/exemplary", ("traceparent", TRACEPARENT))
    found = [
        sample.exemplar.labels
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "eventfold_http_request_seconds_bucket" and sample.exemplar is not None
    ]
    assert {"trace_id": TRACE_ID} in found


async def test_health_and_metrics_have_neither_span_nor_line(app: Litestar) -> None:
    with recorded_spans() as recorded, capture_logs() as lines:
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert await ask(app, "GET", path, ("traceparent", TRACEPARENT)) == 200
    assert recorded.spans == []
    assert lines == []


@pytest.fixture
def lines() -> Any:
    captured = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[merge_contextvars, captured])
    yield captured.entries
    structlog.configure(processors=before)


async def test_a_request_is_one_line_with_its_outcome_and_no_query_string(app: Litestar, lines: list[Any]) -> None:
    await ask(app, "GET", "/lamps/l-1", ("X-Correlation-ID", "visit-9"))
    (line,) = lines
    assert line.pop("seconds") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/lamps/{lamp_id}",
        "path": "/lamps/l-1",
        "status": 200,
        "correlation_id": "visit-9",
        "subject": "anonymous",
    }
    assert "correlation_id" not in get_contextvars()


async def test_what_a_client_sends_neither_fills_the_log_nor_stands_in_it_malformed(
    app: Litestar, lines: list[Any]
) -> None:
    await ask(app, "GET", "/lamps/" + "x" * 5000, ("X-Correlation-ID", "two words"))
    (line,) = lines
    assert len(line["path"]) == 200
    assert "correlation_id" not in line


async def test_the_correlation_id_that_a_service_chooses_is_in_the_line(app: Litestar, lines: list[Any]) -> None:
    await ask(app, "POST", "/lamps")
    assert lines[0]["correlation_id"] == "chosen-by-the-server"


async def test_a_500_is_a_warning(app: Litestar, lines: list[Any]) -> None:
    await ask(app, "GET", "/lamps/broken")
    assert [(line["event"], line["log_level"]) for line in lines if line["event"] == "request"] == [
        ("request", "warning")
    ]


async def test_a_request_that_is_given_up_is_told_too(lines: list[Any]) -> None:
    begun = asyncio.Event()

    @get("/slow", opt={ACCESS: PUBLIC})
    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    app = create_app("Slow", [slow], {}, Settings.of(auth="off"))
    asked = asyncio.create_task(ask(app, "GET", "/slow"))
    await begun.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert [(line["route"], line["status"]) for line in lines] == [("/slow", 499)]
    assert REGISTRY.get_sample_value("eventfold_http_requests_in_flight") == 0
