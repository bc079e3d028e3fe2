"""Gauges that are computed when Prometheus asks: of the served targets that this process follows."""

import math
from collections.abc import Callable, Iterable

from infrastructure.clock import now_millis
from subscriptions import metrics
from subscriptions.following.follower import Follower


def show_gauges(consumers: Iterable[str], served: Callable[[str], Follower | None]) -> None:
    """Lets Prometheus read the state of each consumer. `served` gives the follower of a consumer's served target; where
    another process follows it, the gauge is not a number."""
    for consumer in consumers:
        for gauge, read in (
            (metrics.POSITION, _position),
            (metrics.LAG, lag_seconds),
            (metrics.PARKED, _parked),
            (metrics.STOPPED, _stopped),
            (metrics.OTHER_LOG, _other_log),
        ):
            gauge.labels(consumer).set_function(_reading(served, consumer, read))


def lag_seconds(follower: Follower) -> float:
    """The age of the oldest event that has come and is not handled, in seconds; 0 when there is none."""
    since = follower.behind_since
    return 0.0 if since is None else max(0, now_millis() - since) / 1000


def _position(follower: Follower) -> float:
    return -1 if follower.position is None else follower.position


def _parked(follower: Follower) -> float:
    return follower.parking.count


def _stopped(follower: Follower) -> float:
    return float(follower.broken is not None)


def _other_log(follower: Follower) -> float:
    return float(follower.place.missing is not None)


def _reading(
    served: Callable[[str], Follower | None], consumer: str, read: Callable[[Follower], float]
) -> Callable[[], float]:
    def reading() -> float:
        follower = served(consumer)
        return math.nan if follower is None else read(follower)

    return reading
