"""Loading a long stream with a snapshot beside it against loading all of it, from the same node, in turns."""

import statistics
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import uvloop
from msgspec.structs import replace

from command_api.aggregates import Aggregates
from domain.model.aggregate import Aggregate
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import NO_STREAM, EventStore
from tests.support.services import node_uri, start_node
from tests.support.tiny.meter import METER, MeterInstalled, MeterRead

LENGTHS = (100, 1_000, 5_000)
ROUNDS = 9
EVERY = 50
CODEC = EventCodec((METER,))
WITH, WITHOUT = replace(METER, snapshot_every=EVERY), replace(METER, snapshot_every=None)


async def run() -> None:
    """Prints the milliseconds of one load of each kind, and how many times faster the snapshot makes it."""
    with tempfile.TemporaryDirectory() as folder:
        node = await start_node(Path(folder))
        store = EventStore(node_uri(node.port))
        try:
            for length in LENGTHS:
                await _write(store, length)
                await _compare(store, length)
        finally:
            await store.close()
            await node.kill()


async def _write(store: EventStore, length: int) -> None:
    """A meter read so many times; its snapshot is taken 20 events before the end."""
    meter = f"m-{length}"
    events: list[MeterInstalled | MeterRead] = [MeterInstalled(meter, utc_now())]
    events += [MeterRead(meter, shows, 1) for shows in range(1, length)]
    await _append(store, meter, NO_STREAM, events[:-20])
    aggregates = Aggregates(store, CODEC, 1)
    await aggregates.load(WITH, meter)
    await aggregates.close()
    await _append(store, meter, length - 21, events[-20:])


async def _append(store: EventStore, meter: str, after: int, events: Sequence[MeterInstalled | MeterRead]) -> None:
    for start in range(0, len(events), 500):
        part = [CODEC.encode(event, EventMetadata(), str(uuid.uuid4())) for event in events[start : start + 500]]
        after = (await store.append(METER.stream(meter), after, part)).revision


async def _compare(store: EventStore, length: int) -> None:
    times: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(ROUNDS + 1):
        for name, aggregate in (("with", WITH), ("without", WITHOUT)):
            seconds = await _seconds(store, aggregate, length)
            if number > 0:  # the first round warms up
                times[name].append(seconds)
    ratio = statistics.median(a / b for a, b in zip(times["without"], times["with"], strict=True))
    with_one, without = (statistics.median(of) * 1000 for of in times.values())
    print(f"{length:5} events: {with_one:6.1f} ms with a snapshot, {without:6.1f} ms without, ratio {ratio:.1f}")


async def _seconds(store: EventStore, aggregate: Aggregate, length: int) -> float:
    started = perf_counter()
    loaded = await Aggregates(store, CODEC, 1).load(aggregate, f"m-{length}")
    seconds = perf_counter() - started
    if loaded.revision != length - 1:
        raise RuntimeError(f"loaded up to {loaded.revision}, not {length - 1}")
    return seconds


if __name__ == "__main__":
    uvloop.run(run())
