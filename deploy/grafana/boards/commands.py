"""From the request to the event in the log."""

from deploy.grafana.boards.common import COMMANDS as SENT
from deploy.grafana.boards.common import REQUEST_SECONDS, quantile, rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

COMMANDS = Dashboard(
    "eventfold-commands",
    "Eventfold: commands",
    "From the request to the event in the log.",
    rows=[
        [
            Panel(
                "Commands",
                "Commands a second, by the status of the answer.",
                [Query(rate_by(f"{REQUEST_SECONDS}_count", "status", SENT), "{{status}}")],
                "reqps",
            ),
            Panel(
                "Time of a command",
                "From the arrival of a command to its answer, of those carried out. Points are commands with a trace.",
                [
                    Query(quantile(q, REQUEST_SECONDS, "", f'{SENT},status=~"2.."'), f"p{round(q * 100)}")
                    for q in (0.5, 0.99)
                ],
                "s",
            ),
            Panel(
                "Slowest commands, p99",
                "By route.",
                [Query(quantile(0.99, REQUEST_SECONDS, "route", SENT), "{{route}}")],
                "s",
            ),
        ],
        [
            Panel(
                "Time of an append",
                "With the wait for a place and retries. Points are appends with a trace.",
                [
                    Query(quantile(q, "eventfold_append_seconds", "", 'outcome="appended"'), f"p{round(q * 100)}")
                    for q in (0.5, 0.99)
                ],
                "s",
            ),
            Panel(
                "Appends by outcome",
                "appended; conflict: another writer was first; unavailable: it is not known what came of it.",
                [Query(rate_by("eventfold_append_seconds_count", "outcome"), "{{outcome}}")],
                "ops",
            ),
            Panel(
                "Conflicts and repetitions",
                "Conflicts are decided again; a repetition was answered with the result of the first time.",
                [
                    Query("sum(rate(eventfold_command_conflicts_total[5m]))", "conflicts"),
                    Query("sum(rate(eventfold_commands_repeated_total[5m]))", "repetitions"),
                ],
                "ops",
            ),
        ],
        [
            Panel(
                "Aggregates from the cache",
                "Share of the loads that only read what came since the aggregate was cached.",
                [
                    Query(
                        'sum(rate(eventfold_aggregate_loads_total{source="cache"}[5m]))'
                        " / (sum(rate(eventfold_aggregate_loads_total[5m])) > 0)",
                        "from the cache",
                    )
                ],
                "percentunit",
            ),
            Panel(
                "Aggregates in the cache",
                "At most EVENTFOLD_AGGREGATE_CACHE_SIZE in each process.",
                [Query("eventfold_aggregates_cached", "{{instance}}")],
                "short",
            ),
            Panel(
                "Snapshots",
                "Written, failed, or left out because too many were under way.",
                [Query(rate_by("eventfold_aggregate_snapshots_total", "outcome"), "{{outcome}}")],
                "ops",
            ),
        ],
        [
            Panel(
                "Places of the event store",
                "Calls that have a place, and those that wait for one.",
                [
                    Query(
                        'sum by (service, state) (eventfold_bulkhead_calls{dependency="event_store"})',
                        "{{service}} {{state}}",
                    )
                ],
                "short",
            ),
            Panel(
                "Connections refused",
                "Requests and connections that no operation has seen, by why.",
                [
                    Query(
                        rate_by("eventfold_http_connections_refused_total", "service, reason"), "{{service}} {{reason}}"
                    )
                ],
                "reqps",
            ),
            Panel(
                "Webhooks of providers",
                "What the payment and the signing provider told, by what became of it.",
                [
                    Query(rate_by("eventfold_payment_webhooks_total", "outcome"), "payment {{outcome}}"),
                    Query(rate_by("eventfold_signature_webhooks_total", "outcome"), "signing {{outcome}}"),
                ],
                "reqps",
            ),
        ],
    ],
)
