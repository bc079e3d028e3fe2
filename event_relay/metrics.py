"""What the relay counts."""

from prometheus_client import Counter, Gauge

OUTCOMES = ("acknowledged", "refused", "unavailable")

DELIVERIES = Counter(
    "eventfold_relay_deliveries",
    "Integration events handed to a destination: acknowledged, refused (a dead letter), unavailable (to be repeated)",
    ["consumer", "outcome"],
)
PAUSE_STATE = Gauge(
    "eventfold_relay_pause_state", "Whether a destination is paused (1) or not (0), by its consumer", ["consumer"]
)
STREAM_CONNECTIONS = Gauge("eventfold_relay_stream_connections", "Readers of server-sent events that are connected")
STREAM_EVENTS = Counter("eventfold_relay_stream_events", "Integration events given to readers of server-sent events")


def show_destination(consumer: str) -> None:
    """Shows all that is counted of a destination as zero, until something is."""
    PAUSE_STATE.labels(consumer)
    for outcome in OUTCOMES:
        DELIVERIES.labels(consumer, outcome)
