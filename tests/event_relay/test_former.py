"""Destinations that were taken out of the file: what is kept of them is shown, goes on, or is forgotten."""

import asyncio
from collections.abc import Callable

import pytest

from event_relay.former import FormerDestinations, StillPublishedTo
from event_relay.pauses import Pauses
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.deliveries import EventRefused
from tests.event_relay.test_relay import ORDERS, Receiver, Running, destination, relaying, until
from tests.subscriptions.counting import parked
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done
from tests.subscriptions.scripted_log import ScriptedLog

KEPT = ("checkpoints", "parked_events", "consumer_leases", "consumer_records", "relay_pauses", "discarded_events")


def refusing(subject: str) -> Callable[[CloudEvent], Exception | None]:
    return lambda event: EventRefused("422 no") if event.subject == subject else None


def former(relay: Running, *configured: str) -> FormerDestinations:
    return FormerDestinations(relay.store, configured, relay.coordinator.heartbeat, asyncio.Event())


async def after_it_was_taken_out() -> tuple[ScriptedLog, MemoryReadStore]:
    """A destination has taken one order and refused the other; then it was taken out of the file."""
    log, store = ScriptedLog(ORDERS.events[:4]), MemoryReadStore()
    log.append(*ORDERS.events[4:])
    async with relaying(log, store, (destination("gone"), Receiver(refusing("b")))) as relay:
        await all_done(log, relay, 1)
    await Pauses(store).set("relay_gone", False)
    assert len(parked(store, "relay_gone")) == 4
    return log, store


async def test_it_is_known_with_all_that_is_kept_and_goes_on_where_it_was():
    log, store = await after_it_was_taken_out()
    async with relaying(log, store, (destination("other"), Receiver())) as relay:
        await all_done(log, relay, 1)
        assert await former(relay, "relay_other").load() == ["relay_gone"]
    again = Receiver()
    async with relaying(log, store, (destination("gone"), again)) as relay:
        await all_done(log, relay, 1)
        assert await former(relay, "relay_gone").load() == ["relay_other"]
        assert again.taken == [], "the other order it has already, and this one waits in the dead letters"
        await relay.dead_letters().retry("relay_gone", "b")
        assert {event.subject for event in again.taken} == {"b"}


async def test_it_is_forgotten_with_nothing_left():
    log, store = await after_it_was_taken_out()
    async with relaying(log, store, (destination("other"), Receiver())) as relay:
        await all_done(log, relay, 1)
        assert await former(relay, "relay_other").remove("relay_gone")
        assert not await former(relay, "relay_other").remove("relay_gone")
        assert await former(relay, "relay_other").load() == []
    left = [key for name in KEPT for key in store.documents(name) if "relay_gone" in key]
    assert left == []
    again = Receiver()
    async with relaying(log, store, (destination("gone"), again)) as relay:
        await until(lambda: len(again.taken) == 8)


async def test_one_that_a_process_publishes_to_is_not_forgotten():
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination("here"), Receiver())) as relay:
        await all_done(log, relay, 1)
        with pytest.raises(StillPublishedTo, match="event_relay-"):
            await former(relay).remove("relay_here")
        with pytest.raises(StillPublishedTo):
            await former(relay, "relay_here").remove("relay_here")
    assert "relay_here" in store.documents("consumer_records")
