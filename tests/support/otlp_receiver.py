"""A collector for tests: takes spans by OTLP over HTTP, as any collector does, or never answers."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.http_session import http_session

PATH = "/v1/traces"


class ReceivedSpan(Struct, frozen=True):
    """A span as it came over the wire; ids in hexadecimal, `parent` is "" for one that begins a trace. `links` are the
    traces and spans that it names. Times are in epoch nanoseconds."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    failed: bool
    start: int
    end: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class OtlpReceiver:
    """What has come so far. With `forward_to`, each request is sent on to another collector too, byte by byte."""

    def __init__(self, forward_to: str | None = None) -> None:
        self.port = 0
        self.requests = 0
        self.spans: list[ReceivedSpan] = []
        self.bodies: list[bytes] = []
        self._forward_to = forward_to
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """By which a service sends its spans here, often."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def named(self, name: str, trace: str = "") -> list[ReceivedSpan]:
        """The spans of a name, of all traces or of one."""
        return [span for span in self.spans if span.name == name and trace in ("", span.trace)]

    def holds(self, texts: Iterable[str]) -> bool:
        """Whether anything that has come, events of spans and all, has one of the texts in it."""
        return any(text.encode() in body for text in texts for body in self.bodies)

    async def take(self, request: web.Request) -> web.Response:
        """One request of an exporter."""
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.requests += 1
        self.bodies.append(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        if self._forward_to is not None:
            await self._forward(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _forward(self, body: bytes) -> None:
        if self._session is None:
            self._session = http_session()
        headers = {"Content-Type": "application/x-protobuf"}
        async with self._session.post(f"{self._forward_to}{PATH}", data=body, headers=headers) as response:
            assert response.status == 200, await response.text()


@asynccontextmanager
async def otlp_receiver(forward_to: str | None = None) -> AsyncIterator[OtlpReceiver]:
    """A collector for the block."""
    receiver = OtlpReceiver(forward_to)
    async with _serving(receiver.take) as receiver.port:
        yield receiver
    await receiver.close()


@asynccontextmanager
async def hanging_receiver() -> AsyncIterator[int]:
    """The port of a collector that takes connections and requests, and never answers."""

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with _serving(hang) as port:
        yield port


@asynccontextmanager
async def _serving(take: Any) -> AsyncIterator[int]:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post(PATH, take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _spans(request: ExportTraceServiceRequest) -> Iterable[ReceivedSpan]:
    for of_resource in request.resource_spans:
        resource = _values(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield ReceivedSpan(
                    service=resource["service.name"],
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    attributes=_values(span.attributes),
                    resource=resource,
                )


def _values(attributes: Iterable[Any]) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
