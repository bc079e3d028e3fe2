"""How far each partition of each build has come; kept beside the documents and written after them."""

from collections.abc import Mapping

from msgspec import Struct

from infrastructure.read_store import StoredDocument
from infrastructure.view_registry.record import Build

CHECKPOINTS = "checkpoints"


class Checkpoint(Struct, frozen=True):
    """The fields beside `_id` and `_position`, the position up to which the partition has folded the log.

    `events` counts the events that it has considered since the build began, `owner` is the instance that wrote it;
    `updated_at` is in epoch milliseconds.
    """

    view: str
    collection: str
    version: int
    layout: int
    partition: int
    events: int
    owner: str
    updated_at: int


def checkpoint_key(collection: str, layout: int, partition: int) -> str:
    """The key of a partition's checkpoint; it also names the partition's lease."""
    return f"{collection}:{layout}:{partition}"


def checkpoint_keys(build: Build, layout: int, partitions: int) -> list[str]:
    """The keys of all of a build's checkpoints."""
    return [checkpoint_key(build.collection, layout, partition) for partition in range(partitions)]


def low_watermark(build: Build, layout: int, partitions: int, found: Mapping[str, StoredDocument]) -> int | None:
    """Up to where every partition has folded the log: the position of the build. None when one has yet to begin."""
    keys = checkpoint_keys(build, layout, partitions)
    lowest = min(found[key].position if key in found else build.base for key in keys)
    return None if lowest < 0 else lowest
