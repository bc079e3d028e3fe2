"""The reader of server-sent events, against a server whose connections end in the middle of an event."""

import asyncio

from aiohttp import web

from examples.subscriber.stream import StreamReader
from infrastructure.integration.cloud_event import structured
from tests.event_relay.test_relay import ORDERS, mapped
from tests.support.http_session import http_session

EVENTS = mapped(ORDERS.events)


async def three_events(request: web.Request) -> web.StreamResponse:
    begin = int(request.headers.get("Last-Event-ID", "-1")) + 1
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b": published events\n\n")
    for number, event in list(enumerate(EVENTS))[begin : begin + 3]:
        head = f"event: {event.type}\ndata: ".encode()
        await response.write(head + structured(event) + f"\nid: {number}\n\n".encode())
    await response.write(b"event: ordering.cut-off.v1\ndata: {")
    return response


async def test_what_is_cut_off_is_read_again_and_nothing_twice():
    app = web.Application()
    app.router.add_get("/events", three_events)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with http_session() as http, asyncio.timeout(60):
            reader = StreamReader(f"http://127.0.0.1:{runner.addresses[0][1]}/events", http)
            reading = asyncio.create_task(reader.run())
            await reader.has_taken({event.id for event in EVENTS})
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await runner.cleanup()
    assert [event.id for event in reader.taken] == [event.id for event in EVENTS]
    assert reader.connections >= 3
