"""
Appending what a projection emits, exactly once. The position in the last event of a target stream tells how far
the projection has come in that stream, so that after a crash nothing is emitted again: what is already there is
left out, and what is new is appended at the exact version that was read.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from embedded.event_store_node.log import internal_writes
from embedded.event_store_node.log.events import (
    ANY,
    BINARY_CONTENT_TYPE,
    DELETED_STREAM_REVISION,
    METADATA_TYPE,
    ProposedEvent,
    metadata_stream_of,
)
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Appended, Failed, Outcome, StreamDeleted
from embedded.event_store_node.projections import tag
from embedded.event_store_node.projections.definitions import Emission, Source, metadata_object
from embedded.event_store_node.projections.tag import ProjectionVersion, Tag

Emitted = tuple[Source, Emission]

_NAMESPACE = UUID("7f1d0f5e-54d3-4c0b-8f5f-6d1f4f0c4b11")
_MAX_KNOWN_TARGETS = 10_000


class ProjectionFault(Exception):
    """The projection can't go on before somebody has mended something; the message says what."""


class StorageFailure(Exception):
    """The log could not be written; it is worth trying again."""


@dataclass(slots=True)
class _Target:
    """Where a target stream ends: its last revision, and the position that its last event was emitted for."""

    revision: int
    position: int
    is_new: bool


class Emitter:
    """Appends one projection's emissions to their streams. For the event loop's thread."""

    def __init__(self, writer: Writer, reader: Reader, projection: ProjectionVersion) -> None:
        self._writer = writer
        self._reader = reader
        self._projection = projection
        self._targets: OrderedDict[str, _Target] = OrderedDict()

    async def emit(self, emitted: Iterable[Emitted]) -> None:
        """
        Append emissions, given in the order of the log, and wait until they are durable.

        Raises:
            ProjectionFault: a target stream is tombstoned, or somebody else writes to it.
            StorageFailure: some may not be written; emitting all of them again is safe.
        """
        by_stream: dict[str, list[Emitted]] = {}
        for one in emitted:
            by_stream.setdefault(one[1].stream, []).append(one)
        try:
            await self._prepare(by_stream)
            await _all(self._append(stream, some) for stream, some in by_stream.items())
        except Exception:
            self._targets.clear()
            raise
        while len(self._targets) > _MAX_KNOWN_TARGETS:
            self._targets.popitem(last=False)

    async def _prepare(self, streams: Iterable[str]) -> None:
        """Know where each stream ends, and give new ones the metadata that lets everyone read them."""
        new = []
        for stream in streams:
            if stream not in self._targets:
                self._targets[stream] = self._read(stream)
            self._targets.move_to_end(stream)
            if self._targets[stream].is_new:
                new.append(stream)
        await _all(self._write_metadata(stream) for stream in new)

    def _read(self, stream: str) -> _Target:
        last = self._reader.last_event(stream)
        if last is None:
            return _Target(-1, 0, is_new=True)
        if last.revision == DELETED_STREAM_REVISION:
            raise _deleted(stream)
        number, epoch, _ = self._projection
        written = tag.from_metadata(RecordedEvent.FromString(last.record).custom_metadata)
        if written is None:
            raise _written_by_others(stream, number)
        if written.projection.number != number:
            raise ProjectionFault(
                f"Multiple projections emitting to the same stream detected.  Stream: '{stream}'. Last event"
                f" projection: '{written.projection.number}'.  Emitting projection: '{number}'"
            )
        if written.projection.version < epoch:
            return _Target(last.revision, 0, is_new=True)
        return _Target(last.revision, written.position, is_new=False)

    async def _write_metadata(self, stream: str) -> None:
        first = self._targets[stream].revision + 1
        truncation = f'"$tb":{first},' if first else ""
        data = f'{{{truncation}"$acl":{{"$r":"$all","$mr":"$all"}}}}'.encode()
        id_ = uuid5(_NAMESPACE, f"{self._projection.number}:{self._projection.epoch}:{stream}")
        event = internal_writes.json_event(METADATA_TYPE, data, id_=id_)
        metadata_stream = metadata_stream_of(stream)
        _check(await internal_writes.append(self._writer, metadata_stream, ANY, [event]), metadata_stream)

    async def _append(self, stream: str, emitted: list[Emitted]) -> None:
        target = self._targets[stream]
        new = [one for one in emitted if one[0].position > target.position]
        if not new:
            return
        events = [self._event(source, emission) for source, emission in new]
        outcome = await internal_writes.append(self._writer, stream, target.revision, events)
        match outcome:
            case Appended(revision, _):
                self._targets[stream] = _Target(revision, new[-1][0].position, is_new=False)
            case StreamDeleted():
                raise _deleted(stream)
            case Failed():
                _check(outcome, stream)
            case _:
                raise _written_by_others(stream, self._projection.number)

    def _event(self, source: Source, emission: Emission) -> ProposedEvent:
        extra = emission.extra | {"$causedBy": source.id}
        correlation_id = metadata_object(source.metadata).get("$correlationId") if source.is_json else None
        if isinstance(correlation_id, str) and correlation_id:
            extra["$correlationId"] = correlation_id
        return ProposedEvent(
            uuid5(_NAMESPACE, f"{self._projection.number}:{self._projection.epoch}:{source.position}").bytes,
            emission.type,
            BINARY_CONTENT_TYPE,
            tag.to_metadata(Tag(self._projection, source.position), extra),
            emission.data,
        )


async def _all(writes: Iterable[Coroutine[None, None, None]]) -> None:
    """Wait for every write, also when one fails: none may still be under way when they are tried again."""
    for result in await asyncio.gather(*writes, return_exceptions=True):
        if result is not None:
            raise result


def _check(outcome: Outcome, stream: str) -> None:
    match outcome:
        case Appended():
            return
        case Failed(reason):
            raise StorageFailure(f"{stream} cannot be written: {reason}")
        case _:
            raise ProjectionFault(f"{stream} cannot be written: {outcome}")


def _deleted(stream: str) -> ProjectionFault:
    return ProjectionFault(f"Stream : {stream} is deleted. Cannot emit events to it")


def _written_by_others(stream: str, number: int) -> ProjectionFault:
    return ProjectionFault(
        f"The '{stream}' stream managed by projection {number} has been written to from the outside."
    )
