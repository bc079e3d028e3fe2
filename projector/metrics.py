"""What the projector shows to Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_projector"
_VIEW = ("view",)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

POSITION = Gauge(f"{_PREFIX}_position", "Commit position of the live build's checkpoint; -1 before the first", _VIEW)
LAG = Gauge(f"{_PREFIX}_lag_seconds", "Age of the oldest event received and not yet folded; 0 when none is", _VIEW)
PARKED = Gauge(f"{_PREFIX}_parked_events", "Events set aside for the view", _VIEW)
STOPPED = Gauge(f"{_PREFIX}_view_stopped", "1 when the view was stopped because its fold fails for everything", _VIEW)
CONNECTED = Gauge(f"{_PREFIX}_subscription_connected", "1 while the subscription to the event store is open")

BATCH_EVENTS = Histogram(
    f"{_PREFIX}_batch_events",
    "Events of a batch",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000),
)
FOLD_SECONDS = Histogram(f"{_PREFIX}_fold_seconds", "Time to fold a batch in memory", _VIEW, buckets=_SECONDS)
WRITE_SECONDS = Histogram(
    f"{_PREFIX}_write_seconds", "Time to write a batch's documents and parked events", _VIEW, buckets=_SECONDS
)

EVENTS = Counter(f"{_PREFIX}_events_folded", "Events folded into the view", _VIEW)
DOCUMENTS = Counter(f"{_PREFIX}_documents_written", "Documents written", _VIEW)
LOADED = Counter(f"{_PREFIX}_documents_loaded", "Keys asked of the read store because they were not in memory", _VIEW)
REFUSED = Counter(f"{_PREFIX}_writes_refused", "Writes refused because the store held a newer document", _VIEW)
RECONNECTS = Counter(f"{_PREFIX}_reconnects", "Times that the subscription was opened again after a failure")
RESTARTS = Counter(f"{_PREFIX}_restarts", "Times that a view was begun again after a fault of the projector's", _VIEW)
LEASES = Gauge(f"{_PREFIX}_leases", "Partitions that this process owns", _VIEW)
LEASE_CHANGES = Counter(f"{_PREFIX}_lease_changes", "Leases taken, given up and lost", (*_VIEW, "change"))
SWITCHES = Counter(f"{_PREFIX}_switches", "Times that this process switched a view to another build", _VIEW)
READ_STORE_RETRIES = Counter(f"{_PREFIX}_read_store_retries", "Operations repeated while the read store failed", _VIEW)
