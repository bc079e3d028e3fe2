"""How far each partition of each target has come; written after the work that it records."""

from collections.abc import Mapping

from msgspec import Struct

from infrastructure.checkpoints.anchors import Anchor
from infrastructure.checkpoints.target import Target
from infrastructure.read_store import StoredDocument

CHECKPOINTS = "checkpoints"


class Checkpoint(Struct, frozen=True):
    """What is stored beside the position up to which the partition has taken the log.

    `events` counts the events that it has considered since the target began, `owner` is the instance that wrote it;
    `updated_at` is in epoch milliseconds. `anchors` are a Trail, which says which log it was: the first of them is
    the last event at or before the position. No event need stand at the position itself.
    """

    consumer: str
    target: str
    version: int
    partition_epoch: int
    partition: int
    events: int
    owner: str
    updated_at: int
    anchors: list[Anchor] = []


def low_watermark(target: Target, found: Mapping[str, StoredDocument]) -> int | None:
    """Up to where every partition has taken the log: the position of the target. None when one of them has not begun.

    `found` are the stored checkpoints by key.
    """
    lowest = min(found[key].position if key in found else target.base for key in target.keys)
    return None if lowest < 0 else lowest
