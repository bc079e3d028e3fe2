"""How old the oldest event is that a view has received and not yet folded."""

import time
from collections.abc import Callable

from projector.projection import Projection


def lag_seconds(projection: Projection) -> Callable[[], float]:
    """A reading of the lag, in seconds; 0 when the view has folded all that it has received."""

    def read() -> float:
        since = projection.behind_since
        return 0.0 if since is None else max(0.0, time.time() - since / 1000)

    return read
