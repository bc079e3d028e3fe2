"""What becomes of a write, given the stream's state and the version that the client expects: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embedded.event_store_node.log.events import ANY, DELETED_STREAM_REVISION, NO_STREAM, STREAM_EXISTS


@dataclass(frozen=True, slots=True)
class StreamState:
    """`last_revision` is -1 for a stream without events, and the tombstone's once it is hard-deleted."""

    last_revision: int
    has_metadata: bool = False
    is_soft_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Append the events."""


@dataclass(frozen=True, slots=True)
class AlreadyWritten:
    """A repeated request: answer with the revision of the last of its events, as the first time."""

    last_revision: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The stream is not at the expected version."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The stream is deleted and this write can't bring it back."""


Decision = Write | AlreadyWritten | Conflict | Deleted

# The revision at which this stream holds the event with this id, if that is where the id was last written.
RevisionOfId = Callable[[bytes], int | None]
# The ids of this stream's events at `count` revisions from `first`; shorter at the stream's end.
IdsFrom = Callable[[int, int], Sequence[bytes]]


def check(
    stream: StreamState, expected: int, ids: Sequence[bytes], revision_of: RevisionOfId, ids_from: IdsFrom
) -> Decision:
    """Decide on writing events with these `ids` at the `expected` version (a revision or a constant)."""
    if stream.last_revision == DELETED_STREAM_REVISION:
        return Deleted()
    if expected == STREAM_EXISTS:
        if stream.is_soft_deleted:
            return Deleted()
        if stream.last_revision < 0 and not stream.has_metadata:
            return Conflict()
    if expected in (ANY, STREAM_EXISTS):
        return _check_by_id(ids, revision_of)
    if expected < stream.last_revision:
        return _check_by_revision(stream, expected, ids, ids_from)
    if expected > stream.last_revision:
        return Conflict()
    return Write()


def _check_by_id(ids: Sequence[bytes], revision_of: RevisionOfId) -> Decision:
    last_revision = None
    for index, id_ in enumerate(ids):
        revision = revision_of(id_)
        if revision is None:
            return Write() if index == 0 else Conflict()
        last_revision = revision
    return Write() if last_revision is None else AlreadyWritten(last_revision)


def _check_by_revision(stream: StreamState, expected: int, ids: Sequence[bytes], ids_from: IdsFrom) -> Decision:
    written = ids_from(expected + 1, len(ids))
    if ids and list(written) == list(ids):
        return AlreadyWritten(expected + len(ids))
    first_is_the_same = bool(ids) and bool(written) and written[0] == ids[0]
    if expected == NO_STREAM and stream.is_soft_deleted and ids and not first_is_the_same:
        return Write()
    return Conflict()
