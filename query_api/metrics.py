"""What the query API measures. Label children are bound once, so that counting costs little."""

from functools import cache

from prometheus_client import Counter, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_REQUESTS = Counter("eventfold_query_requests", "Queries answered", ["route", "status"])
_DURATION = Histogram("eventfold_query_seconds", "Time to answer a query, in seconds", ["route"], buckets=_SECONDS)
_WAITS = Counter("eventfold_query_at_least_waits", "Waits for a view's position, by outcome", ["view", "outcome"])
_WAITED = Histogram(
    "eventfold_query_at_least_seconds", "Time waited for a view's position, in seconds", ["view"], buckets=_SECONDS
)


class RouteMetrics:
    """The counters of one route."""

    def __init__(self, route: str) -> None:
        self._by_class = {digit: _REQUESTS.labels(route, f"{digit}xx") for digit in (2, 3, 4, 5)}
        self._seconds = _DURATION.labels(route)

    def answered(self, status: int, seconds: float) -> None:
        """Counts one answer."""
        self._by_class[status // 100].inc()
        self._seconds.observe(seconds)


@cache
def _wait_outcome(view: str, outcome: str) -> Counter:
    return _WAITS.labels(view, outcome)


@cache
def _wait_seconds(view: str) -> Histogram:
    return _WAITED.labels(view)


def waited(view: str, outcome: str, seconds: float) -> None:
    """Counts one wait: its outcome is reached, timeout or failed."""
    _wait_outcome(view, outcome).inc()
    _wait_seconds(view).observe(seconds)
