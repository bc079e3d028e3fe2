"""What the relay counts."""

from prometheus_client import Counter

DELIVERIES = Counter(
    "eventfold_relay_deliveries",
    "Integration events handed to a destination: acknowledged, refused (a dead letter), unavailable (to be repeated)",
    ["consumer", "outcome"],
)
