"""A log in memory that the audit can read, and that a test can tamper with."""

import uuid
from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec.structs import replace

from infrastructure.event_store import NewEvent, StoredEvent, StreamDeleted
from infrastructure.evidence.chain import head_after, linked
from infrastructure.evidence.checkpointing import newest_checkpoint
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verification import Anchor, Report, verify
from tests.support.memory_event_store import MemoryEventStore


class AuditableLog(MemoryEventStore):
    """Also what the audit reads of an event store."""

    def __init__(self, log: Sequence[StoredEvent] = ()) -> None:
        super().__init__()
        self.log = list(log)

    async def read_all(self, after: int | None = None) -> AsyncIterator[StoredEvent]:
        for event in list(self.log):
            if after is None or event.position > after:
                yield event

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]:
        if not stream.startswith("$$"):
            return await super().read_newest(stream, limit)
        if stream[2:] in self.tombstones:
            raise StreamDeleted(stream[2:])
        said = self.metadata.get(stream[2:])
        if said is None:
            return []
        return [StoredEvent(str(uuid.uuid4()), "$metadata", stream, 0, 0, 0, msgspec.json.encode(said), b"")]

    def scavenge(self) -> None:
        """What can't be read any more is gone."""
        streams = {event.stream for event in self.log} - self.tombstones
        left = {stream: self.readable(stream) for stream in streams if not self._is_deleted(stream)}
        self.log = [event for event in self.log if event in left.get(event.stream, [])]

    async def write(self, stream: str, count: int, *, links: bool = True) -> None:
        """Appends so many events to a stream, as the services do."""
        history = [event for event in self.log if event.stream == stream]
        head = head_after(None, history)
        new = [new_event(f"{stream}:{len(history) + n}".encode()) for n in range(count)]
        if links:
            new, _ = linked(stream, head, new)
        await self.append(stream, len(history) - 1, new)

    def position(self, event: StoredEvent) -> int:
        return self.log.index(event)


def new_event(data: bytes, metadata: bytes = b'{"actor":"ada"}') -> NewEvent:
    return NewEvent(str(uuid.uuid4()), "Happened", data, metadata)


def relinked(log: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The log with every chain computed anew, as somebody who can write the file and reads the docs does."""
    from infrastructure.evidence.verifier import split_metadata

    heads, new = {}, []
    for event in log:
        bare = NewEvent(event.id, event.type, event.data, split_metadata(event.metadata)[0])
        [chained], heads[event.stream] = linked(event.stream, heads.get(event.stream), [bare])
        new.append(replace(event, metadata=chained.metadata))
    return new


async def report_of(
    log: MemoryEventStore, tiles: Tiles | None = None, signer: Signer | None = None, **options
) -> Report:
    if tiles is None or signer is None:
        return await verify(log, None, (), **options)
    checkpoint = newest_checkpoint(tiles, signer.verifier)
    return await verify(log, Tree(tiles, checkpoint.size), [Anchor("kept", checkpoint)], **options)
