"""How far everything that follows the log has come: written by who follows it, read by who answers from it."""

from infrastructure.checkpoints.checkpoint import CHECKPOINTS, Checkpoint, low_watermark
from infrastructure.checkpoints.target import PartitionRef, Target, partition_of

__all__ = ["CHECKPOINTS", "Checkpoint", "PartitionRef", "Target", "low_watermark", "partition_of"]
