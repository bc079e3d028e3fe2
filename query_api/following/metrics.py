"""What is measured of following the views. Label children are bound once, so that counting costs little."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_WAITING = Gauge("eventfold_query_at_least_waiting", "Requests that wait for a view's position now", ["view"])
_WAITS = Counter("eventfold_query_at_least_waits", "Waits for a view's position, by outcome", ["view", "outcome"])
_WAITED = Histogram(
    "eventfold_query_at_least_seconds", "Time waited for a view's position, in seconds", ["view"], buckets=_SECONDS
)
_BUILD = Gauge("eventfold_query_live_build", "Number of the build that a view's queries are answered from", ["view"])
_VERSION = Gauge("eventfold_query_live_version", "Version of the view in that build", ["view"])

_OTHER_LOG = Gauge(
    "eventfold_query_other_log", "1 while queries of the view are refused: it was made from another log", ["view"]
)

_OUTCOMES = ("reached", "timeout", "unknown", "failed")


def follows_build(view: str, number: int, version: int) -> None:
    """The view's queries are answered from that build from now on."""
    _BUILD.labels(view).set(number)
    _VERSION.labels(view).set(version)


def on_other_log(view: str, is_on_other: bool) -> None:
    """Whether the view's live build was made from another log than the one that is there."""
    _OTHER_LOG.labels(view).set(is_on_other)


class WaitMetrics:
    """The waits for one view's position."""

    def __init__(self, view: str) -> None:
        self.waiting = _WAITING.labels(view)
        self._by_outcome = {outcome: _WAITS.labels(view, outcome) for outcome in _OUTCOMES}
        self._seconds = _WAITED.labels(view)

    def waited(self, outcome: str, seconds: float) -> None:
        """Counts one wait that has ended: reached, timeout, unknown (not in the log) or failed."""
        self._by_outcome[outcome].inc()
        self._seconds.observe(seconds)
