"""What tamper evidence costs: a link at an append, a checkpoint and a verification of a log, memory for its streams.

In one process, without a store; seconds are CPU time of the process. The log has ten events a stream, of 600 bytes of
data and metadata. What links cost commands is measured by `benchmarks.links`.
"""

import statistics
import tempfile
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from time import process_time

from infrastructure.event_store import NewEvent, StoredEvent, StreamSlice
from infrastructure.evidence.chain import linked
from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.stream_chains import StreamChains
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verification import Anchor, verify

STREAMS = 5_000
EVENTS = 10
ROUNDS = 3
LINKS = 20_000
MANY_STREAMS = 100_000

_DATA = b'{"order_id":"o-1","lines":[' + b'{"sku":"apple","quantity":3,"price":50},' * 9 + b"]}"
_METADATA = b'{"commandId":"%b","$correlationId":"%b","actor":"ada","traceparent":"00-%b-01"}' % (
    b"5a1f6c1e-7f0e-5c0b-9b8e-6f2d1c3e4a57",
    b"5a1f6c1e-7f0e-5c0b-9b8e-6f2d1c3e4a57",
    b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
)


class _Log:
    """Streams whose events take turns."""

    def __init__(self, streams: int, events: int) -> None:
        self._events: list[StoredEvent] = []
        heads = {f"order-{uuid.uuid4()}": None for _ in range(streams)}
        for revision in range(events):
            for stream in heads:
                new = NewEvent(str(uuid.uuid4()), "OrderCreated", _DATA, _METADATA)
                [chained], heads[stream] = linked(stream, heads[stream], [new])  # type: ignore[assignment]
                position = 1000 * (len(self._events) + 1)
                self._events.append(
                    StoredEvent(chained.id, chained.type, stream, revision, position, 0, chained.data, chained.metadata)
                )

    async def read_all(self, after: int | None = None) -> AsyncIterator[StoredEvent]:
        """As the event store's."""
        for event in self._events:
            if after is None or event.position > after:
                yield event

    async def read_slice(self, stream: str, from_revision: int = 0, limit: int = 1) -> StreamSlice:
        """Not asked, for nothing is wrong."""
        raise AssertionError(f"{stream} was looked at once more, so something is wrong with it")

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]:
        """Not asked, for nothing is gone."""
        raise AssertionError(f"{stream} was looked at once more, so something of it is gone")


async def run() -> None:
    """Prints the figures."""
    new = NewEvent(str(uuid.uuid4()), "OrderCreated", _DATA, _METADATA)
    head = linked("order-1", None, [new])[1]
    started = process_time()
    for _ in range(LINKS):
        _, head = linked("order-1", head, [new])
    print(
        f"a link for an event of {len(_DATA) + len(_METADATA)} bytes: {(process_time() - started) / LINKS * 1e6:.1f} us"
    )
    log, signer, count = _Log(STREAMS, EVENTS), Signer.new("benchmark"), STREAMS * EVENTS
    checkpoints, chains, verifications = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            tiles = Tiles(Path(folder))
            started = process_time()
            _, checkpoint = await extend(log, tiles, signer)
            checkpoints.append(count / (process_time() - started))
            size = _size(Path(folder))
            started = process_time()
            assert (await verify(log, None, ())).finding is None
            chains.append(count / (process_time() - started))
            started = process_time()
            report = await verify(log, Tree(tiles, checkpoint.size), [Anchor("the benchmark's", checkpoint)])
            assert report.finding is None
            verifications.append(count / (process_time() - started))
    print(f"checkpoint: {statistics.median(checkpoints):,.0f} events/s, {size / count:.0f} bytes of tree an event")
    print(f"verify, chains alone: {statistics.median(chains):,.0f} events/s")
    print(f"verify, chains and tree: {statistics.median(verifications):,.0f} events/s")
    del log
    await _memory()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def _memory() -> None:
    log = _Log(MANY_STREAMS, 1)
    tracemalloc.start()
    checked = StreamChains(log)
    # The name comes with each event anew, as from a store.
    async for event in log.read_all():
        await checked.take(_copied(event))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"memory of verify: {taken / MANY_STREAMS:.0f} MB for a million streams")


def _copied(event: StoredEvent) -> StoredEvent:
    stream = event.stream.encode().decode()
    return StoredEvent(
        event.id, event.type, stream, event.revision, event.position, event.recorded_at, event.data, event.metadata
    )
