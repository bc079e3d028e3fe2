"""The record of the scavenges: a stream for each, and links to their events in `$scavenges`."""

import json
from datetime import timedelta
from typing import Any

from embedded.event_store_node.log import internal_writes
from embedded.event_store_node.log.events import (
    ANY,
    BINARY_CONTENT_TYPE,
    LINK_TYPE,
    METADATA_TYPE,
    ProposedEvent,
    metadata_stream_of,
)
from embedded.event_store_node.log.internal_writes import json_event
from embedded.event_store_node.log.links import link_target
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.system_streams import SCAVENGES_METADATA, SCAVENGES_STREAM
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Appended

_STARTED, _COMPLETED = "$scavengeStarted", "$scavengeCompleted"


class ScavengeHistory:
    """Writes down when scavenges begin and how they end. A failure to do so is nobody's concern."""

    def __init__(self, writer: Writer, reader: Reader, node: str) -> None:
        self._writer = writer
        self._reader = reader
        self._node = node

    async def started(self, scavenge_id: str) -> None:
        for stream in (SCAVENGES_STREAM, f"{SCAVENGES_STREAM}-{scavenge_id}"):
            metadata_stream = metadata_stream_of(stream)
            if self._reader.last_event(metadata_stream) is None:
                event = json_event(METADATA_TYPE, SCAVENGES_METADATA)
                await internal_writes.append(self._writer, metadata_stream, ANY, [event])
        await self._record(scavenge_id, _STARTED, {})

    async def completed(self, scavenge_id: str, result: str, error: str, seconds: float, size: int) -> None:
        """`result` is Success, Stopped, Errored or Interrupted; `size` is what was removed, in bytes."""
        figures = {
            "result": result,
            "error": error,
            "timeTaken": f"{timedelta(seconds=int(seconds))!s:0>8}.{int(seconds % 1 * 10**7):07}",
            "spaceSaved": size,
            "maxChunkScavenged": 0,
        }
        await self._record(scavenge_id, _COMPLETED, figures)

    async def close_interrupted(self) -> None:
        """Write down that the last scavenge was interrupted, if it never completed."""
        last = self._reader.last_event(SCAVENGES_STREAM)
        event = link_target(self._reader, last) if last else None
        if event is not None and event.type == _STARTED:
            scavenge_id = event.stream.removeprefix(f"{SCAVENGES_STREAM}-")
            await self.completed(scavenge_id, "Interrupted", "The node was restarted.", 0, 0)

    async def _record(self, scavenge_id: str, type_: str, figures: dict[str, Any]) -> None:
        stream = f"{SCAVENGES_STREAM}-{scavenge_id}"
        document = {"scavengeId": scavenge_id, "nodeEndpoint": self._node, **figures}
        event = json_event(type_, json.dumps(document, indent=2).encode())
        outcome = await internal_writes.append(self._writer, stream, ANY, [event])
        if isinstance(outcome, Appended):
            target = f"{outcome.revision}@{stream}".encode()
            link = ProposedEvent(internal_writes.new_id(), LINK_TYPE, BINARY_CONTENT_TYPE, b"", target)
            await internal_writes.append(self._writer, SCAVENGES_STREAM, ANY, [link])
