"""Logs of lamps and parcels: events as they stand in the store, random ones too, and what a view must come to."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from infrastructure.event_store import StoredEvent
from tests.support.logs import LogBuilder, PlainFold
from tests.support.tiny import TINY, TINY_CODEC
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOff, LampSwitchedOn
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent

START = datetime(2026, 3, 14, 12, tzinfo=UTC)

UNREADABLE = [("LampExploded", b"{}"), ("LampSwitchedOn", b'{"lamp_id": 7}'), ("LampInstalled", b"\xff\0")]
"""The types and data of events that nobody can decode."""

INSTALLED_V1 = b'{"lamp_id":"%s","place":"r1","installed_at":"2024-05-01T09:30:00Z"}'
"""A LampInstalled as the first release wrote it; fill in the id."""

fold_of = PlainFold(TINY)


class TinyLog(LogBuilder):
    """A log of the tiny domain that begins with `events`, each in the stream of its lamp or parcel."""

    def __init__(self, *events: Any) -> None:
        super().__init__(TINY_CODEC)
        self.happen(*events)

    def happen(self, *events: Any) -> None:
        """Adds domain events."""
        for event in events:
            self.add(stream_of(event), event)


def stream_of(event: Any) -> str:
    """Where an event belongs."""
    if isinstance(event, ParcelSent | ParcelDelivered):
        return f"parcel-{event.parcel_id}"
    return f"lamp-{event.lamp_id}"


def installed(lamp: str, room: str = "r1", watts: int = 60) -> LampInstalled:
    return LampInstalled(lamp, room, watts, START)


def switched_on(lamp: str) -> LampSwitchedOn:
    return LampSwitchedOn(lamp, START + timedelta(hours=1))


def switched_off(lamp: str) -> LampSwitchedOff:
    return LampSwitchedOff(lamp, START + timedelta(hours=2))


def sent(parcel: str, day: int = 0, grams: int = 100) -> ParcelSent:
    return ParcelSent(parcel, "ada", grams, START + timedelta(days=day))


def delivered(parcel: str, day: int = 0) -> ParcelDelivered:
    """The delivery of a parcel that was sent on that day."""
    at = START + timedelta(days=day)
    return ParcelDelivered(parcel, at, at + timedelta(hours=3))


def recent(number: int, *, seconds_ago: int = 0) -> list[StoredEvent]:
    """So many lamps are installed, the first of them so long ago, a millisecond between any two."""
    events = TinyLog(*(installed(f"l{lamp}") for lamp in range(number))).events
    first = time.time_ns() // 1_000_000 - seconds_ago * 1000
    return [msgspec.structs.replace(event, recorded_at=first + index) for index, event in enumerate(events)]


def random_log(choose: random.Random, length: int, *, poison: bool = True) -> list[StoredEvent]:
    """Lamps of a few rooms and parcels of a few days in all their states, events of others between them, events
    nobody can decode, and streams that are deleted; some lamps are installed again then."""
    log = TinyLog()
    going_on: dict[str, list[Any]] = {}
    deleted: list[str] = []
    while len(log.events) < length:
        kind = choose.random()
        if kind < 0.05:
            log.add_raw(f"elsewhere-{choose.randrange(3)}", "SomethingElse", b"not even JSON")
        elif poison and kind < 0.09:
            log.add_raw(choose.choice([*going_on, "lamp-nobody"]), *choose.choice(UNREADABLE))
        elif deleted and kind < 0.12:
            lamp = choose.choice(deleted)
            deleted.remove(lamp)
            log.happen(installed(lamp, f"r{choose.randrange(4)}", choose.randrange(1, 999)))
            going_on[f"lamp-{lamp}"] = [switched_on(lamp)]
        elif going_on and kind < 0.16:
            stream = choose.choice(list(going_on))
            del going_on[stream]
            log.delete(stream, for_good=choose.random() < 0.3)
            if log.events[-1].type == "$metadata" and stream.startswith("lamp-"):
                deleted.append(stream.removeprefix("lamp-"))
        elif not going_on or kind < 0.35:
            lamp = f"l{len(log.events)}"
            if choose.random() < 0.1:
                log.add_raw(f"lamp-{lamp}", "LampInstalled", INSTALLED_V1 % lamp.encode())
            else:
                log.happen(installed(lamp, f"r{choose.randrange(4)}", choose.randrange(1, 999)))
            switched = [switched_on(lamp), switched_off(lamp), switched_on(lamp), switched_off(lamp)]
            going_on[f"lamp-{lamp}"] = switched[: choose.randrange(1, 5)]
        elif kind < 0.45:
            parcel, day = f"p{len(log.events)}", choose.randrange(3)
            log.happen(sent(parcel, day, choose.randrange(1, 999)))
            going_on[f"parcel-{parcel}"] = [delivered(parcel, day)]
        else:
            stream = choose.choice(list(going_on))
            log.happen(going_on[stream].pop(0))
            if not going_on[stream]:
                del going_on[stream]
    return log.events


logs = st.builds(lambda seed, length: random_log(random.Random(seed), length), st.integers(0), st.integers(0, 60))
