"""Integration events on their way to others: by destination, and to readers of server-sent events."""

from deploy.grafana.boards.common import quantile, rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

_RELAY = 'consumer=~"relay_.*"'
_CALLS = 'dependency=~"relay_.*"'
RELAY = Dashboard(
    "eventfold-relay",
    "Eventfold: relay",
    "Integration events on their way to others. Each destination is a consumer of the log, relay_NAME.",
    rows=[
        [
            Panel(
                "Lag",
                "Age of the oldest event that a destination has not acknowledged. Rises by a second a second while it "
                "is away or paused.",
                [Query(f"max by (consumer) (eventfold_consumer_lag_seconds{{{_RELAY}}})", "{{consumer}}")],
                "s",
            ),
            Panel(
                "Lag in events",
                "Events that a destination has not acknowledged; of more than 100 an estimate.",
                [Query(f"max by (consumer) (eventfold_consumer_lag_events{{{_RELAY}}})", "{{consumer}}")],
                "short",
            ),
        ],
        [
            Panel(
                "Deliveries",
                "Events a second: acknowledged, refused (they become dead letters), unavailable (they are repeated).",
                [Query(rate_by("eventfold_relay_deliveries_total", "consumer, outcome"), "{{consumer}} {{outcome}}")],
                "ops",
            ),
            Panel(
                "Time of a delivery",
                "99 of 100 are faster: from the first attempt to the acknowledgement, repetitions included.",
                [Query(quantile(0.99, "eventfold_outside_call_seconds", "dependency", _CALLS), "{{dependency}}")],
                "s",
            ),
        ],
        [
            Panel(
                "Dead letters",
                "Events that a destination refused, and those of the same subject behind them. "
                "`eventfold dead-letters list`.",
                [Query(f"max by (consumer) (eventfold_consumer_parked_events{{{_RELAY}}})", "{{consumer}}")],
                "short",
            ),
            Panel(
                "Paused, or away",
                "1: paused by an operator (`eventfold relay resume`). Breaker: 2 while a destination is away.",
                [
                    Query("max by (consumer) (eventfold_relay_pause_state)", "{{consumer}} paused"),
                    Query(f"max by (dependency) (eventfold_circuit_state{{{_CALLS}}})", "{{dependency}} breaker"),
                ],
                "short",
            ),
        ],
        [
            Panel(
                "Readers of server-sent events",
                "Connections to GET /events; a process has at most 64.",
                [Query("sum by (instance) (eventfold_relay_stream_connections)", "{{instance}}")],
                "short",
            ),
            Panel(
                "Events to readers",
                "Events a second, over all readers.",
                [Query("sum(rate(eventfold_relay_stream_events_total[5m]))", "events")],
                "ops",
            ),
        ],
    ],
)
