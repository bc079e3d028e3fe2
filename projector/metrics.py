"""The projector's own metrics for Prometheus; those of every consumer are in subscriptions.metrics."""

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_projector"
_VIEW = ("view",)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

FOLD_SECONDS = Histogram(f"{_PREFIX}_fold_seconds", "Time to fold a batch in memory", _VIEW, buckets=_SECONDS)
WRITE_SECONDS = Histogram(f"{_PREFIX}_write_seconds", "Time to write a batch's documents", _VIEW, buckets=_SECONDS)
DOCUMENTS = Counter(f"{_PREFIX}_documents_written", "Documents written", _VIEW)
LOADED = Counter(f"{_PREFIX}_documents_loaded", "Keys asked of the read store because they were not in memory", _VIEW)
CACHED = Counter(f"{_PREFIX}_documents_cached", "Keys of a batch whose documents were in memory", _VIEW)
STORED = Gauge(
    f"{_PREFIX}_documents",
    "Documents of the view's live build in the read store, tombstones too, as the store estimates them now and then",
    _VIEW,
)
REFUSED = Counter(f"{_PREFIX}_writes_refused", "Writes refused because the store had a newer document", _VIEW)
WITHOUT_BEGINNING = Counter(
    f"{_PREFIX}_events_without_beginning", "Events left out because the beginning of their stream was cut off", _VIEW
)
SWITCHES = Counter(f"{_PREFIX}_switches", "Times that this process switched a view to another build", _VIEW)


def show_view(view: str) -> None:
    """Shows all that is measured of a view as zero, before it first happens."""
    for counter in (DOCUMENTS, LOADED, CACHED, REFUSED, WITHOUT_BEGINNING, SWITCHES):
        counter.labels(view)
    for histogram in (FOLD_SECONDS, WRITE_SECONDS):
        histogram.labels(view)
