"""What answers for the process as a whole: its health, its metrics, its log level."""

from collections.abc import Sequence

from litestar import Litestar

from infrastructure.http.service import DEPENDENCIES, create_app
from infrastructure.settings import Settings
from monolith.part import Part


def create_front(parts: Sequence[Part], settings: Settings) -> Litestar:
    """The process is ready when every part is; a dependency is called PART.NAME. Metrics and the log are the process's
    own, so each part has the same. Raises InvalidSettings."""
    dependencies = {
        f"{part.name}.{name}": dependency for part in parts for name, dependency in part.app.state[DEPENDENCIES].items()
    }
    return create_app("Eventfold, all services in one process", [], dependencies, settings)
