"""What every service with consumers shows to Prometheus; a view is a consumer under its own name."""

from math import nan

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_consumer"
_CONSUMER = ("consumer",)

POSITION = Gauge(f"{_PREFIX}_position", "Commit position of the served target's checkpoint; -1 before one", _CONSUMER)
LAG = Gauge(
    f"{_PREFIX}_lag_seconds",
    "Age of the oldest event that is not yet handled; 0 when none is known. What has not come here is looked up now "
    "and then",
    _CONSUMER,
)
LAG_EVENTS = Gauge(
    f"{_PREFIX}_lag_events",
    "Events of the log after the served target's checkpoint, as looked up now and then; of more than 100 an estimate",
    _CONSUMER,
)
LOG_POSITION = Gauge(
    "eventfold_event_log_position", "Commit position of the log's newest event, which is its size in bytes; -1 if empty"
)
PARKED = Gauge(f"{_PREFIX}_parked_events", "Events set aside for the consumer", _CONSUMER)
PARKED_IN_GROUP = Gauge(
    f"{_PREFIX}_parked_group_events",
    "Of the events set aside for the consumer, those of a group, by its fingerprint: the five largest, and all others",
    (*_CONSUMER, "group"),
)
STOPPED = Gauge(f"{_PREFIX}_stopped", "1 when the consumer was stopped, by its own fault or on another log", _CONSUMER)
OTHER_LOG = Gauge(
    f"{_PREFIX}_other_log",
    "1 when the consumer was stopped because the log is not that of its checkpoint",
    _CONSUMER,
)
LOG_POSITION.set(nan)  # most services do not look at it
MISSING_SUBSCRIPTIONS = Gauge(
    f"{_PREFIX}_missing_subscriptions",
    "Subscriptions to the event store that are needed and not open; a consumer that waits for what it calls needs none",
)

BATCH_EVENTS = Histogram(
    f"{_PREFIX}_batch_events",
    "Events of a batch",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000),
)
EVENTS = Counter(f"{_PREFIX}_events", "Events handed to the consumer", _CONSUMER)
RECONNECTS = Counter(f"{_PREFIX}_reconnects", "Times that the subscription was opened again after a failure")
RESTARTS = Counter(
    f"{_PREFIX}_restarts", "Times that a consumer was started again after an unexpected fault", _CONSUMER
)
LEASES = Gauge(f"{_PREFIX}_leases", "Partitions that this process owns", _CONSUMER)
LEASE_CHANGES = Counter(f"{_PREFIX}_lease_changes", "Leases taken, given up and lost", (*_CONSUMER, "change"))
READ_STORE_RETRIES = Counter(
    f"{_PREFIX}_read_store_retries", "Operations repeated while the read store failed", _CONSUMER
)


def show_consumer(consumer: str) -> None:
    """Shows all that is counted of a consumer as zero, before it first happens."""
    for counter in (EVENTS, RESTARTS, READ_STORE_RETRIES):
        counter.labels(consumer)
    LEASES.labels(consumer)
    for change in ("taken", "given_up", "lost"):
        LEASE_CHANGES.labels(consumer, change)
