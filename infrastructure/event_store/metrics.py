"""What Prometheus is shown of appends: how long they take and how they end, and how many events they bring."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Histogram

from infrastructure.event_store.errors import EventStoreUnavailable, WrongExpectedRevision
from infrastructure.exemplars import exemplar

_APPENDED = Counter("eventfold_appended_events", "Events of appends that succeeded, repetitions of earlier ones too")
_SECONDS = Histogram(
    "eventfold_append_seconds",
    "Time of an append with its wait for a place and its retries, by how it ended: appended, conflict (the stream was "
    "at another revision), unavailable (it is not known what came of it), refused",
    ["outcome"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_BY_OUTCOME = {outcome: _SECONDS.labels(outcome) for outcome in ("appended", "conflict", "unavailable", "refused")}


@contextmanager
def append_measured(events: int) -> Iterator[None]:
    """Measures an append of so many events, which is made inside the block."""
    began, outcome = perf_counter(), "refused"
    try:
        yield
        outcome = "appended"
        _APPENDED.inc(events)
    except WrongExpectedRevision:
        outcome = "conflict"
        raise
    except EventStoreUnavailable:
        outcome = "unavailable"
        raise
    finally:
        _BY_OUTCOME[outcome].observe(perf_counter() - began, exemplar())
