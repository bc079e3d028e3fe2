"""How far each consumer of the log has come: written by the consumer, read by the services that show its results."""

from infrastructure.checkpoints.checkpoint import CHECKPOINTS, Checkpoint, low_watermark
from infrastructure.checkpoints.target import PartitionRef, Target, partition_of

__all__ = ["CHECKPOINTS", "Checkpoint", "PartitionRef", "Target", "low_watermark", "partition_of"]
