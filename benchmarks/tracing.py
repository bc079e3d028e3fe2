"""What tracing costs a command: command APIs on the same node, in turns, with tracing off, of 1% and of all.

Every command is a PlaceOrder of ten lines for a new order. Spans are exported by OTLP over HTTP as in earnest, to a
collector that reads each request, counts its bytes and answers; it runs in the process that makes the load, so that it
takes little from the services. Nothing may be lost: the spans that each of them exported are printed too.
"""

import asyncio
import re
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import uvloop
from aiohttp import web

from benchmarks.commands import COMMAND
from benchmarks.http_load import load, request
from tests.support.services import Service, node_uri, running, start_node

ROUNDS = 7
REQUESTS = {1: 800, 16: 3_000, 64: 3_000}
# Each name's services: variables of OpenTelemetry beside the endpoint.
WAYS: dict[str, dict[str, str]] = {
    "off": {"OTEL_TRACES_EXPORTER": "none"},
    "1%": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
    "all": {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
}


async def run() -> None:
    """Prints commands per second each way, and the ratios to tracing off, at 1, 16 and 64 in flight."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        collector = await stack.enter_async_context(_collector())
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        # More spans may wait than by default, so that what is compared is the cost of exporting all of them.
        common = {
            "eventstore_uri": node_uri(node.port),
            "log_level": "warning",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}",
            "OTEL_BSP_MAX_QUEUE_SIZE": "65536",
        }
        services = {
            name: await stack.enter_async_context(
                running("command_api", folder, "/health/ready", **(common | variables))
            )
            for name, variables in WAYS.items()
        }
        for in_flight, wanted in REQUESTS.items():
            await _compare(services, in_flight, wanted)
        for name, service in services.items():
            print(f"{name:>4}: {await _spans(service)}")


async def _compare(services: dict[str, Service], in_flight: int, wanted: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in services}
    for number in range(ROUNDS + 1):
        # Whoever comes first changes from round to round; the first round warms up.
        names = list(services)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rate = await _rate(services[name].port, in_flight, wanted)
            if number > 0:
                rates[name].append(rate)
    for name, of in rates.items():
        ratio = statistics.median(a / b for a, b in zip(of, rates["off"], strict=True))
        print(f"{in_flight:3} in flight, {name:>4}: {statistics.median(of):6.0f} commands/s, ratio {ratio:.2f}")


async def _rate(port: int, in_flight: int, wanted: int) -> float:
    body, host = msgspec.json.encode(COMMAND), f"127.0.0.1:{port}"

    def message(_number: int) -> bytes:
        return request("PUT", f"/orders/{uuid.uuid4()}", host, body=body)

    result = await load("127.0.0.1", port, message, connections=in_flight, requests=wanted)
    if set(result.statuses) != {201}:
        raise RuntimeError(f"responses other than 201: {result.statuses}")
    return result.per_second


async def _spans(service: Service) -> str:
    """What became of its spans, by its own metrics."""
    async with aiohttp.ClientSession() as http, http.get(f"{service.url}/metrics") as response:
        found = re.findall(r'eventfold_trace_spans_total\{outcome="(\w+)"\} (\S+)', await response.text())
    return ", ".join(f"{float(number):.0f} spans {outcome}" for outcome, number in found) or "no spans"


@asynccontextmanager
async def _collector() -> AsyncIterator[int]:
    """The port of a collector that takes everything."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    app = web.Application(client_max_size=2**30)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await asyncio.shield(runner.cleanup())


if __name__ == "__main__":
    uvloop.run(run())
