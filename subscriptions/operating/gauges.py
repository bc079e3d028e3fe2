"""Gauges that are computed when Prometheus asks: of the served targets that this process follows, and of those that
others follow as they were seen last."""

import math
from collections.abc import Callable, Iterable

from infrastructure.clock import now_millis
from subscriptions import metrics
from subscriptions.following.follower import Follower
from subscriptions.operating.lag_watch import Seen

_Seen = Callable[[str], Seen | None]


def nothing_seen(_consumer: str) -> Seen | None:
    """Where nobody looks."""
    return None


def show_gauges(consumers: Iterable[str], served: Callable[[str], Follower | None], seen: _Seen = nothing_seen) -> None:
    """Lets Prometheus read the state of each consumer, and shows all that is counted of it as zero. `served` gives the
    follower of a consumer's served target here. Where another process follows it, the gauge is what was `seen` of it
    last, or not a number."""
    for consumer in consumers:
        metrics.show_consumer(consumer)
        for gauge, read, field in (
            (metrics.POSITION, _position, "position"),
            (metrics.PARKED, _parked, "parked"),
            (metrics.STOPPED, _stopped, "stopped"),
            (metrics.OTHER_LOG, _other_log, "other_log"),
        ):
            gauge.labels(consumer).set_function(_reading(served, seen, consumer, read, field))
        metrics.LAG.labels(consumer).set_function(_lag(served, seen, consumer))


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
    served: Callable[[str], Follower | None],
    seen: _Seen,
    consumer: str,
    read: Callable[[Follower], float],
    field: str,
) -> Callable[[], float]:
    def reading() -> float:
        follower, found = served(consumer), seen(consumer)
        if follower is not None:
            return read(follower)
        return math.nan if found is None else float(getattr(found, field))

    return reading


def _lag(served: Callable[[str], Follower | None], seen: _Seen, consumer: str) -> Callable[[], float]:
    """The larger of what is known here and what was seen: an event that has not come here is not known here."""

    def reading() -> float:
        follower, found = served(consumer), seen(consumer)
        known = [] if follower is None else [lag_seconds(follower)]
        return max(known + ([] if found is None else [found.lag_seconds]), default=math.nan)

    return reading
