"""From the event in the log to the document, and to who asks for it."""

from deploy.grafana.boards.common import LAG_SECONDS, PARKED, PARKED_GROUPS, QUERIES, REQUEST_SECONDS, quantile, rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

PROJECTIONS = Dashboard(
    "eventfold-projections",
    "Eventfold: projections",
    "From the event in the log to the document, and to who asks for it.",
    rows=[
        [
            LAG_SECONDS,
            Panel(
                "Lag in events",
                "Events after a consumer's checkpoint; of more than 100 an estimate.",
                [Query("consumer:eventfold_consumer_lag_events:max", "{{consumer}}")],
                "short",
            ),
            Panel(
                "Events handled",
                "Events a second, by consumer.",
                [Query(rate_by("eventfold_consumer_events_total", "consumer"), "{{consumer}}")],
                "ops",
            ),
        ],
        [
            Panel(
                "Time to write a batch, p99",
                "Time to write the documents of a batch to the read store.",
                [Query(quantile(0.99, "eventfold_projector_write_seconds", "view"), "{{view}}")],
                "s",
            ),
            Panel(
                "Time to fold a batch, p99",
                "Time to fold the events of a batch into documents, in memory.",
                [Query(quantile(0.99, "eventfold_projector_fold_seconds", "view"), "{{view}}")],
                "s",
            ),
            Panel(
                "Events of a batch",
                "Half of the batches are smaller than p50. They grow when consumers are behind.",
                [
                    Query(
                        quantile(q, "eventfold_consumer_batch_events", "service"), f"{{{{service}}}} p{round(q * 100)}"
                    )
                    for q in (0.5, 0.99)
                ],
                "short",
            ),
        ],
        [
            Panel(
                "Documents from memory",
                "Share of the documents that a batch needs which were in memory.",
                [
                    Query(
                        f"{rate_by('eventfold_projector_documents_cached_total', 'view')}"
                        f" / ({rate_by('eventfold_projector_documents_cached_total', 'view')}"
                        f" + {rate_by('eventfold_projector_documents_loaded_total', 'view')} > 0)",
                        "{{view}}",
                    )
                ],
                "percentunit",
            ),
            Panel(
                "Documents",
                "Documents of each view in the read store, as it estimates them.",
                [Query("max by (view) (eventfold_projector_documents)", "{{view}}")],
                "short",
            ),
            PARKED,
        ],
        [
            PARKED_GROUPS,
            Panel(
                "Stopped",
                "1: stopped by its own fault, or because the log is another one.",
                [Query("max by (consumer) (eventfold_consumer_stopped)", "{{consumer}}")],
                "short",
            ),
            Panel(
                "Partitions",
                "How many partitions each process owns.",
                [Query("sum by (service, instance) (eventfold_consumer_leases)", "{{service}} {{instance}}")],
                "short",
            ),
            Panel(
                "Restarts and reconnects",
                "Times that a consumer failed and began again, and that a subscription was opened again.",
                [
                    Query("sum by (service) (rate(eventfold_consumer_restarts_total[5m]))", "{{service}} restarts"),
                    Query("sum by (service) (rate(eventfold_consumer_reconnects_total[5m]))", "{{service}} reconnects"),
                ],
                "ops",
            ),
        ],
        [
            Panel(
                "Queries",
                "Queries a second, by route.",
                [Query(rate_by(f"{REQUEST_SECONDS}_count", "route", QUERIES), "{{route}}")],
                "reqps",
            ),
            Panel(
                "Time of a query, p99",
                "With the wait for `at_least`. Points are queries with a trace.",
                [Query(quantile(0.99, REQUEST_SECONDS, "route", QUERIES), "{{route}}")],
                "s",
            ),
            Panel(
                "Waits for `at_least`",
                "Queries that waited for a view to reach a position, by how that ended.",
                [Query(rate_by("eventfold_query_at_least_waits_total", "outcome"), "{{outcome}}")],
                "ops",
            ),
        ],
    ],
)
