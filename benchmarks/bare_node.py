"""What the node is measured against: its own Streams service with storage off, or with the whole log in memory.

`python -m benchmarks.bare_node EVENTS STREAMS` serves reads of that many events of `node_log` and accepts every append
without storing it.
"""

import asyncio
import gc
import signal
import sys
from bisect import bisect_left
from itertools import groupby

import grpc.aio
import uvloop

from benchmarks.node_log import batches
from embedded.event_store_node.limits import DEFAULT_LIMITS, server_options
from embedded.event_store_node.log import records
from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import PAGE_EVENTS, Accepts, AllPage, StreamInfo
from embedded.event_store_node.log.writes import Appended, WriteRequest
from embedded.event_store_node.services.streams_service import StreamsService


class StorageOff:
    """In the writer's place: each write is done at once, and nothing is stored."""

    def __init__(self) -> None:
        self._written = 0

    def submit(self, write: WriteRequest) -> None:
        self._written += 1
        write.on_done(Appended(self._written, self._written))

    async def room(self) -> None:
        return


class MemoryReader:
    """In the reader's place: pages are slices of lists."""

    def __init__(self, events: list[LoggedEvent]) -> None:
        self._events = events
        self._positions = [event.position for event in events]
        by_stream = sorted(events, key=lambda event: event.stream)
        self._streams = {name: list(some) for name, some in groupby(by_stream, key=lambda event: event.stream)}
        self._ids = dict(enumerate(self._streams.values()))
        self._numbers = {name: number for number, name in enumerate(self._streams)}

    def last_position(self) -> int:
        return self._positions[-1] if self._positions else 0

    def all_forwards(
        self, position: int, limit: int, accepts: Accepts | None = None, page_events: int = PAGE_EVENTS
    ) -> AllPage:
        start = bisect_left(self._positions, position)
        page = self._events[start : start + min(limit, page_events)]
        events = [event for event in page if accepts is None or accepts(event)]
        return AllPage(events, page[-1].position if page else None, len(page), is_end=len(page) < page_events)

    def stream(self, name: str) -> StreamInfo:
        number = self._numbers.get(name, -1)
        return StreamInfo(number, len(self._ids.get(number, ())) - 1, 0, is_soft_deleted=False)

    def stream_forwards(self, stream: StreamInfo, revision: int, limit: int) -> list[LoggedEvent]:
        return self._ids[stream.id][revision : revision + min(limit, PAGE_EVENTS)]


def _log(count: int, streams: int) -> list[LoggedEvent]:
    events: list[LoggedEvent] = []
    revisions: dict[str, int] = {}
    position = 1
    for write in (write for batch in batches(count, streams) for write in batch):
        for event in write.events:
            revision = revisions[write.stream] = revisions.get(write.stream, -1) + 1
            record = records.record(event, write.stream.encode(), revision, position, position)
            events.append(LoggedEvent(position, write.stream, revision, event.type, 1, record))
            position += len(record)
    return events


async def _serve(count: int, streams: int) -> None:
    reader = MemoryReader(_log(count, streams))
    server = grpc.aio.server(options=server_options(DEFAULT_LIMITS))
    port = server.add_insecure_port("127.0.0.1:0")
    StreamsService(StorageOff(), reader, Broker(reader.last_position())).add_to(server)  # type: ignore[arg-type]
    await server.start()
    gc.collect()
    gc.freeze()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(f"bare node ready on 127.0.0.1:{port} (nothing is stored)", flush=True)
    await stopped.wait()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
