"""What is published, as server-sent events: the filter, going on after a loss, heartbeats, the bound, the end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from event_relay.http.events import event_routes
from event_relay.stream import EventStream
from infrastructure.http.service import create_app
from infrastructure.integration.cloud_event import from_structured
from infrastructure.security.identity import Identity
from tests.event_relay.test_relay import ORDERS, PUBLISHER, mapped
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC
from tests.support.in_process import ask, open_settings
from tests.support.order_logs import OrderLog, confirmed, created


def everything(_type: str) -> bool:
    return True


def stream_of(log: ScriptedLog, **options: Any) -> EventStream:
    return EventStream(log, CODEC, PUBLISHER, **options)


async def told(parts: AsyncIterator[bytes], number: int) -> list[dict[str, str]]:
    """The first so many events of a stream, by field; the stream is closed then."""
    found: list[dict[str, str]] = []
    async with asyncio.timeout(20):
        async for part in parts:
            lines = [line for line in part.decode().splitlines() if line and not line.startswith(":")]
            if lines:
                found.append(dict(line.split(": ", 1) for line in lines))
            if len(found) == number:
                break
    await parts.aclose()  # type: ignore[attr-defined]
    return found


async def test_everything_comes_in_the_order_of_the_log_with_its_position():
    stream = stream_of(ScriptedLog(ORDERS.events))
    found = await told(stream.read(None, everything), 8)
    assert [from_structured(one["data"].encode()) for one in found] == mapped(ORDERS.events)
    assert [one["event"] for one in found] == [event.type for event in mapped(ORDERS.events)]
    assert [int(one["id"]) for one in found] == [stored.position for stored in ORDERS.events]
    assert stream.readers == 0


@pytest.mark.parametrize("after", range(8))
async def test_who_goes_on_after_an_id_misses_nothing_and_gets_nothing_twice(after: int):
    log = ScriptedLog(ORDERS.events)
    before = await told(stream_of(log).read(None, everything), after + 1)
    rest = await told(stream_of(log).read(int(before[-1]["id"]), everything), 7 - after) if after < 7 else []
    assert [from_structured(one["data"].encode()).id for one in before + rest] == [
        event.id for event in mapped(ORDERS.events)
    ]


async def test_only_what_is_wanted_comes():
    wants: Callable[[str], bool] = "ordering.order-shipped.v1".__eq__
    found = await told(stream_of(ScriptedLog(ORDERS.events)).read(None, wants), 2)
    assert {one["event"] for one in found} == {"ordering.order-shipped.v1"}


async def test_what_comes_later_comes_too_and_silence_says_how_far_it_is():
    log = ScriptedLog(ORDERS.events)
    parts = stream_of(log, heartbeat=0.01).read(None, "ordering.order-placed.v1".__eq__)
    found = await told_until(parts, lambda one: one == {"id": str(ORDERS.events[-1].position)})
    later = OrderLog()
    later.go_on_from(ORDERS.events)
    log.append(later.add("order-c", created("c")))
    found = await told_until(parts, lambda one: "data" in one)
    assert json.loads(found["data"])["subject"] == "c"
    await parts.aclose()  # type: ignore[attr-defined]


async def told_until(parts: AsyncIterator[bytes], fits: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    async with asyncio.timeout(20):
        while True:
            part = await anext(parts)
            lines = [line for line in part.decode().splitlines() if line and not line.startswith(":")]
            one = dict(line.split(": ", 1) for line in lines)
            if fits(one):
                return one


async def test_an_event_that_nobody_can_read_is_told():
    log = OrderLog()
    log.add("order-a", created("a"))
    bad = log.add_raw("order-a", "OrderTeleported", b"{}")
    log.add("order-a", confirmed("a"))
    found = await told(stream_of(ScriptedLog(log.events)).read(None, everything), 3)
    assert [one["event"] for one in found] == ["ordering.order-placed.v1", "unreadable", "ordering.order-confirmed.v1"]
    assert json.loads(found[1]["data"]) == {"position": bad.position, "type": "OrderTeleported"}


async def test_a_stream_ends_when_the_service_stops_or_its_time_is_over():
    stopping, short = stream_of(ScriptedLog([])), stream_of(ScriptedLog([]), lasts=0.0)
    parts = stopping.read(None, everything)
    await anext(parts)
    stopping.stop()
    async with asyncio.timeout(20):
        assert [part async for part in parts if not part.startswith(b":")] == []
        assert [part async for part in short.read(None, everything)] == [b": published events\n\n"]
    assert stopping.readers == short.readers == 0


async def test_a_stream_on_which_nothing_comes_ends_too_when_its_time_is_over():
    quiet = stream_of(ScriptedLog(ORDERS.events), lasts=0.05, heartbeat=3_600.0)
    async with asyncio.timeout(20):
        parts = [part async for part in quiet.read(ORDERS.events[-1].position, everything)]
    assert parts[0] == b": published events\n\n"
    assert not [part for part in parts if part.startswith(b"event:")]


STAFF = Identity("grace", frozenset({"integration-events:read"}))
END = ORDERS.events[-1].position


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/events?types=billing.*", {}, 400),
        ("/events?from=yesterday", {}, 400),
        ("/events?from=-1", {}, 400),
        (f"/events?from={END + 1}", {}, 409),
        ("/events", {"Last-Event-ID": "x" * 30}, 400),
        ("/events", {"Last-Event-ID": str(END + 1)}, 409),
        ("/events?from=start", {}, 503),
    ],
)
async def test_what_can_not_be_is_refused(target: str, headers: dict[str, str], status: int):
    log = ScriptedLog(ORDERS.events)
    app = create_app("t", event_routes(stream_of(log, most=0), PUBLISHER, log), {}, open_settings())
    reply = await ask(app, STAFF, "GET", target, headers=headers)
    assert reply.status == status, reply
