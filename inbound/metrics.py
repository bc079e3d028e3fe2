"""What is counted of messages that come in."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_inbound"
_CONSUMER = ("consumer",)

MESSAGES = Counter(
    f"{_PREFIX}_messages",
    "Messages by what came of them: handled, duplicate (done before), set_aside (a dead letter), behind (one too, "
    "since an earlier one of its key is), ignored",
    (*_CONSUMER, "outcome"),
)
RECEIVED = Counter(f"{_PREFIX}_received", "Messages that came from the broker, repetitions too", _CONSUMER)
FAILURES = Counter(
    f"{_PREFIX}_dead_letters", "Messages that were set aside, by the class of the failure", (*_CONSUMER, "reason")
)
WAITS = Counter(
    f"{_PREFIX}_waits", "Attempts at a message that failed because something was away; it is tried again", _CONSUMER
)
SECONDS = Histogram(
    f"{_PREFIX}_seconds",
    "Time from a message's arrival until what came of it was stored",
    _CONSUMER,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
LAG = Gauge(f"{_PREFIX}_lag_messages", "Messages that wait at the broker; -1 where it does not tell", _CONSUMER)
OPEN = Gauge(f"{_PREFIX}_open_dead_letters", "Dead letters that are neither retried nor discarded", _CONSUMER)
OPEN_IN_GROUP = Gauge(
    f"{_PREFIX}_open_dead_letter_group_messages",
    "Of the open dead letters, those of a group, by its fingerprint: the five largest, and all others",
    (*_CONSUMER, "group"),
)
CONNECTED = Gauge(f"{_PREFIX}_connected", "1 while messages can come from the broker", _CONSUMER)

OUTCOMES = ("handled", "duplicate", "set_aside", "behind", "ignored")


def show_sources(consumers: Iterable[str]) -> None:
    """Shows all that is counted of the sources as zero, before it first happens."""
    for consumer in consumers:
        for counter in (RECEIVED, WAITS):
            counter.labels(consumer)
        for outcome in OUTCOMES:
            MESSAGES.labels(consumer, outcome)
        SECONDS.labels(consumer)
        LAG.labels(consumer).set(-1)
