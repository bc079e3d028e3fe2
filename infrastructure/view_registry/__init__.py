"""What is known of every view beside its documents: its builds, the one that is served, and how far each has come.

The projector writes it, the query API follows it, operators steer by it.
"""

from infrastructure.view_registry.checkpoints import CHECKPOINTS, Checkpoint, checkpoint_keys, low_watermark
from infrastructure.view_registry.partitioning import partition_of
from infrastructure.view_registry.record import Build, ViewRecord
from infrastructure.view_registry.registry import VIEW_RECORDS, ViewRegistry
from infrastructure.view_registry.transitions import NotPossible

__all__ = [
    "CHECKPOINTS",
    "VIEW_RECORDS",
    "Build",
    "Checkpoint",
    "NotPossible",
    "ViewRecord",
    "ViewRegistry",
    "checkpoint_keys",
    "low_watermark",
    "partition_of",
]
