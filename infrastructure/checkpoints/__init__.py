"""How far each consumer of the log has come: written by the consumer, read by the services that show its results."""

from infrastructure.checkpoints.anchors import NO_TRAIL, Anchor, Trail
from infrastructure.checkpoints.checkpoint import CHECKPOINTS, Checkpoint, low_watermark
from infrastructure.checkpoints.log_check import Missing, missing_for_target, missing_from
from infrastructure.checkpoints.target import PartitionRef, Target, partition_of

__all__ = [
    "CHECKPOINTS",
    "NO_TRAIL",
    "Anchor",
    "Checkpoint",
    "Missing",
    "PartitionRef",
    "Target",
    "Trail",
    "low_watermark",
    "missing_for_target",
    "missing_from",
    "partition_of",
]
