"""/metrics: which format who asks gets, and exemplars that lead to traces."""

from platform import python_version

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import Histogram

from infrastructure.exemplars import exemplar
from infrastructure.settings import Settings
from infrastructure.version import installed_version
from tests.support.served import NOBODY_THERE, Client, served
from tests.support.tiny import TINY

TEXT, OPENMETRICS = (
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
)
PROMETHEUS_ASKS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
SETTINGS = Settings.of(
    auth="off", eventstore_uri=NOBODY_THERE, mongo_uri="mongodb://127.0.0.1:9/?directConnection=true"
)

_SEEN = Histogram("test_seen_seconds", "Of these tests", buckets=(1, 2))


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS_ASKS, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; version=no number", OPENMETRICS),
        ("text/plain", TEXT),
        ("*/*", TEXT),
        ("application/json", TEXT),
        (",;,=", TEXT),
        ("", TEXT),
    ],
)
async def test_the_format_is_what_is_asked_for(accept: str, content_type: str):
    async with served(TINY, SETTINGS) as api:
        reply = await api.get("/metrics", {"Accept": accept})
    assert (reply.status, reply.headers["content-type"], reply.headers["vary"]) == (200, content_type, "Accept")
    assert reply.body.endswith(b"# EOF\n") == (content_type == OPENMETRICS)
    build = f'eventfold_build_info{{python="{python_version()}",version="{installed_version()}"}} 1.0'
    assert build in reply.body.decode().splitlines()


def in_a_span(trace_id: int, *, sampled: bool) -> None:
    """Something is seen in a request of that trace."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    with trace.use_span(NonRecordingSpan(SpanContext(trace_id, 7, is_remote=False, trace_flags=flags))):
        _SEEN.observe(0.5, exemplar())


async def bucket(api: Client, accept: str) -> str:
    body = (await api.get("/metrics", {"Accept": accept})).body.decode()
    return next(line for line in body.splitlines() if line.startswith('test_seen_seconds_bucket{le="1.0"}'))


async def test_an_exemplar_names_the_trace_of_a_sampled_request_alone():
    async with served(TINY, SETTINGS) as api:
        _SEEN.observe(0.5, exemplar())
        in_a_span(0xABC, sampled=False)
        assert "#" not in await bucket(api, PROMETHEUS_ASKS), "there is no trace to lead to"
        in_a_span(0xDEF, sampled=True)
        in_a_span(0xABC, sampled=False)
        shown = await bucket(api, PROMETHEUS_ASKS)
        assert f'# {{span_id="{7:016x}",trace_id="{0xDEF:032x}"}} 0.5' in shown
        assert "#" not in await bucket(api, "*/*"), "the text format has none"
