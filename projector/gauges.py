"""Gauges that are read at the moment they are asked for: of the live builds, as far as this process folds them."""

import math
import time
from collections.abc import Callable

from projector import metrics
from projector.engine import Engine
from projector.feeding.projection import Projection


def show_gauges(engine: Engine) -> None:
    """Lets Prometheus read the engine. A view that another process folds is not a number here."""
    for view in engine.view_names:
        for gauge, read in (
            (metrics.POSITION, _position),
            (metrics.LAG, lag_seconds),
            (metrics.PARKED, _parked),
            (metrics.STOPPED, _stopped),
        ):
            gauge.labels(view).set_function(_reading(engine, view, read))


def lag_seconds(projection: Projection) -> float:
    """The age of the oldest event that has come and is not folded, in seconds; 0 when there is none."""
    since = projection.behind_since
    return 0.0 if since is None else max(0.0, time.time() - since / 1000)


def _position(projection: Projection) -> float:
    return -1 if projection.position is None else projection.position


def _parked(projection: Projection) -> float:
    return projection.parking.count


def _stopped(projection: Projection) -> float:
    return float(projection.broken is not None)


def _reading(engine: Engine, view: str, read: Callable[[Projection], float]) -> Callable[[], float]:
    def reading() -> float:
        record = engine.records.get(view)
        live = None if record is None else record.live.collection
        ours = next((one for one in engine.projections if one.collection == live), None)
        return math.nan if ours is None else read(ours)

    return reading
