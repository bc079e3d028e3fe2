"""What is recorded about every view besides its documents: its builds, and which one is served.

The projector writes it, the query API follows it, operators change it.
"""

from infrastructure.view_registry.record import Build, ViewRecord
from infrastructure.view_registry.registry import VIEW_RECORDS, ViewRegistry
from infrastructure.view_registry.transitions import NotPossible

__all__ = ["VIEW_RECORDS", "Build", "NotPossible", "ViewRecord", "ViewRegistry"]
