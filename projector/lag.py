"""How old the oldest event is that a view has received and not yet folded."""

import time
from collections.abc import Callable

from projector.engine import Engine


def lag_seconds(engine: Engine, view: str) -> Callable[[], float]:
    """A reading of the lag of a view's builds in this process, in seconds; 0 when all that came has been folded."""

    def read() -> float:
        waiting = [one.behind_since for one in engine.projections if one.view.name == view]
        oldest = min((since for since in waiting if since is not None), default=None)
        return 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000)

    return read
