"""Events handed to a message broker, which nothing does yet."""

from deploy.grafana.boards.common import rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

_RELAY = 'consumer=~".*relay.*"'
RELAY = Dashboard(
    "eventfold-relay",
    "Eventfold: relay",
    "Events handed to a message broker. The relay does not exist yet.",
    text="The relay, which hands events to a message broker, **does not exist yet**. It will be a consumer of the log, "
    "so what is shown of every consumer will be shown of it: these panels are of consumers called `relay`.",
    rows=[
        [
            Panel(
                "Lag",
                "Age of the oldest event that was not handed over.",
                [Query(f"max by (consumer) (eventfold_consumer_lag_seconds{{{_RELAY}}})", "{{consumer}}")],
                "s",
            ),
            Panel(
                "Lag in events",
                "Events that were not handed over; of more than 100 an estimate.",
                [Query(f"max by (consumer) (eventfold_consumer_lag_events{{{_RELAY}}})", "{{consumer}}")],
                "short",
            ),
        ],
        [
            Panel(
                "Events handed over",
                "Events a second.",
                [Query(rate_by("eventfold_consumer_events_total", "consumer", _RELAY), "{{consumer}}")],
                "ops",
            ),
            Panel(
                "Parked events",
                "Events that could not be handed over.",
                [Query(f"max by (consumer) (eventfold_consumer_parked_events{{{_RELAY}}})", "{{consumer}}")],
                "short",
            ),
        ],
    ],
)
