"""The stream of one aggregate: whether it is whole, what of it is left, and the snapshots that stand beside it."""

from infrastructure.aggregate_streams.history import History, StreamReads, read_history, snapshot_before
from infrastructure.aggregate_streams.snapshot import KEPT_COMMANDS, KeptCommand, Snapshot, new_snapshot
from infrastructure.aggregate_streams.wholeness import HistoryTruncated, begins, require_not_deleted, require_whole

__all__ = [
    "KEPT_COMMANDS",
    "History",
    "HistoryTruncated",
    "KeptCommand",
    "Snapshot",
    "StreamReads",
    "begins",
    "new_snapshot",
    "read_history",
    "require_not_deleted",
    "require_whole",
    "snapshot_before",
]
