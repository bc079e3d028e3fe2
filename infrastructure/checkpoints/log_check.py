"""Whether a log is the one that a checkpoint was made on: what must be there is looked for (docs/decisions/0011)."""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from infrastructure.checkpoints.anchors import NO_TRAIL, Anchor, Trail, advanced, anchor_of, last_event
from infrastructure.checkpoints.target import Target
from infrastructure.event_store import (
    DELETED,
    EventStoreUnavailable,
    InvalidPosition,
    StoredEvent,
    StreamDeleted,
    StreamMetadata,
)
from infrastructure.read_store import StoredDocument


class LogReads(Protocol):
    """What is needed of the event store; see infrastructure.event_store.EventStore."""

    @property
    def may_lag(self) -> bool: ...

    async def read_stream(self, stream: str, from_revision: int = ..., limit: int = ...) -> list[StoredEvent]: ...

    async def metadata_of(self, stream: str) -> StreamMetadata: ...

    async def first_from(self, position: int) -> StoredEvent | None: ...

    async def first_after(self, position: int) -> StoredEvent | None: ...

    async def last_until(self, position: int) -> StoredEvent | None: ...


class Missing(Struct, frozen=True):
    """An event that the log should have and has not, or (`unseen`) one that it has and should not.

    `found` says what is there in its stead.
    """

    position: int
    event: str
    stream: str
    revision: int
    found: str
    unseen: bool = False

    def __str__(self) -> str:
        which = f"event {self.event} at position {self.position} (revision {self.revision} of {self.stream})"
        if self.unseen:
            return f"the log is another one: {which} is new, though everything before {self.found} had been read"
        return f"the log is another one: {which} is missing; {self.found}"


class Traces(Struct, frozen=True):
    """What a log has where an event should be.

    `in_stream` is the first event of its stream from its revision on, and `at_position` the first of the log from its
    position on, the system's included; None where there is none. `metadata` is that
    of its stream; `invalid` says that no event can ever have stood at its position.
    """

    in_stream: StoredEvent | None = None
    at_position: StoredEvent | None = None
    metadata: StreamMetadata = StreamMetadata()
    invalid: bool = False


Verdict = Literal["there", "removed", "other", "absent"]
"""The event is there; or was removed with what was deleted of its stream; or another one has its place; or nothing says
that it has ever been there."""


def judge(anchor: Anchor, traces: Traces) -> Verdict:
    """What the traces say about an event."""
    at, same = traces.at_position, traces.in_stream
    if same is not None and same.revision == anchor.revision:
        return "there" if (same.id, same.position) == (anchor.event, anchor.position) else "other"
    if at is not None and at.position == anchor.position:
        return "there" if at.id == anchor.event else "other"
    if traces.invalid:
        return "other"
    # What is removed leaves something behind: later events, or the mark of the removal, which is later too.
    if at is None:
        return "absent"
    if same is not None:
        return "removed"  # a later revision of its stream is there, so it has been there once
    return "removed" if traces.metadata.may_have_removed(anchor.revision) else "absent"


async def missing_from(log: LogReads, trail: Trail, position: int | None = None) -> Missing | None:
    """What the log should have of a trail and has not; None when, as far as can be told, it is the log that the trail
    was made on.

    With `position`, the one up to which everything had been read, an event between the trail's newest and there is
    found too. Raises EventStoreUnavailable, also while the node that responds may be behind its leader.
    """
    for anchor in trail:
        traces = await _traces(log, anchor)
        verdict = judge(anchor, traces)
        if verdict == "there":
            break
        if verdict == "removed":
            continue  # an older one has to say which log it is
        missing = Missing(anchor.position, anchor.event, anchor.stream, anchor.revision, _found(anchor, traces))
        if verdict == "absent" and log.may_lag:
            raise EventStoreUnavailable(f"{missing}; the node that responds may be behind its leader")
        return missing
    return None if position is None else await _unseen(log, last_event(trail), position)


async def missing_for_target(log: LogReads, target: Target, found: Mapping[str, StoredDocument]) -> Missing | None:
    """The same for all checkpoints of a target; `found` are the stored ones by key. Raises EventStoreUnavailable."""
    for position, trail in dict.fromkeys(marks_of(target, found)):
        missing = await missing_from(log, trail, position if trail else None)
        if missing is not None:
            return missing
    return None


def marks_of(
    target: Target, found: Mapping[str, StoredDocument], keys: Iterable[str] | None = None
) -> Iterable[tuple[int, Trail]]:
    """Where each partition of a target is, or those of some keys: its position (-1: before the first event) and its
    trail."""
    for key in target.keys if keys is None else keys:
        stored = found.get(key)
        yield (target.base, target.base_trail) if stored is None else (stored.position, trail_of(stored))


def trail_of(stored: StoredDocument) -> Trail:
    """The trail of a stored checkpoint; empty for one of a release that kept none."""
    return msgspec.convert((stored.fields or {}).get("anchors", ()), Trail)


async def shared_part(log: LogReads, trail: Trail) -> Trail:
    """The trail from the newest of its events on that the log has. Raises EventStoreUnavailable."""
    for index, anchor in enumerate(trail):
        if judge(anchor, await _traces(log, anchor)) == "there":
            return trail[index:]
    return NO_TRAIL


async def trail_at(log: LogReads, position: int) -> Trail:
    """A trail for a checkpoint that has none: of the log as it is now. Raises EventStoreUnavailable."""
    try:
        ends = [await log.first_after(-1), await log.last_until(position)]
    except InvalidPosition:
        ends = []
    return advanced(NO_TRAIL, [one for one in ends if one is not None and one.position <= position])


def unseen_event(event: StoredEvent, position: int) -> Missing:
    """An event that stands where there was none: at or before `position`, up to which everything had been read."""
    anchor = anchor_of(event)
    return Missing(anchor.position, anchor.event, anchor.stream, anchor.revision, f"position {position}", unseen=True)


async def _traces(log: LogReads, anchor: Anchor) -> Traces:
    deleted: StreamMetadata | None = None
    try:
        events = await log.read_stream(anchor.stream, anchor.revision, 1)
    except StreamDeleted:
        events, deleted = [], DELETED
    in_stream = events[0] if events else None
    if in_stream is not None and in_stream.revision == anchor.revision:
        return Traces(in_stream)  # that decides it already
    metadata = deleted or await _metadata(log, anchor.stream)
    try:
        return Traces(in_stream, await log.first_from(anchor.position), metadata)
    except InvalidPosition:
        return Traces(in_stream, None, metadata, invalid=True)


async def _metadata(log: LogReads, stream: str) -> StreamMetadata:
    try:
        return await log.metadata_of(stream)
    except StreamDeleted:  # it was, a moment after it was read
        return DELETED


async def _unseen(log: LogReads, after: int, position: int) -> Missing | None:
    if position <= after:
        return None
    try:
        event = await log.first_after(after)
    except InvalidPosition:
        return None
    return unseen_event(event, position) if event is not None and event.position <= position else None


def _found(anchor: Anchor, traces: Traces) -> str:
    at, same = traces.at_position, traces.in_stream
    if same is not None and same.revision == anchor.revision:
        where = "there" if same.position == anchor.position else f"at position {same.position}"
        return f"its stream has event {same.id} in its place, {where}"
    if at is not None and at.position == anchor.position:
        return f"event {at.id} ({at.type} of {at.stream}) stands there"
    if traces.invalid:
        return "no event of this log begins there"
    if at is None:
        return "the log ends before it"
    return "nothing of it is there, though its stream was neither deleted nor cut off"
