"""What is measured of every route. Label children are bound once, so that counting costs little."""

from prometheus_client import Counter, Histogram

from infrastructure.exemplars import exemplar

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The bounds of every histogram of times here."""

_REQUESTS = Counter("eventfold_query_requests", "Queries answered", ["route", "status"])
_DURATION = Histogram("eventfold_query_seconds", "Time to answer a query, in seconds", ["route"], buckets=SECONDS)


class RouteMetrics:
    """The counters of one route."""

    def __init__(self, route: str) -> None:
        self._by_class = {digit: _REQUESTS.labels(route, f"{digit}xx") for digit in (2, 3, 4, 5)}
        self._seconds = _DURATION.labels(route)

    def answered(self, status: int, seconds: float) -> None:
        """Counts one answer."""
        self._by_class[status // 100].inc()
        self._seconds.observe(seconds, exemplar())
