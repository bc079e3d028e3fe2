"""Is anything wrong, and where to look next."""

from deploy.grafana.boards.common import LAG_SECONDS, quantile
from deploy.grafana.panels import Dashboard, Panel, Query

_REQUESTS = "eventfold_http_request_seconds"
_OURS = 'route!~"/metrics|/health/.*"'

OVERVIEW = Dashboard(
    "eventfold-overview",
    "Eventfold: overview",
    "Is anything wrong, and where to look next.",
    text="Points on a graph of times are requests with a trace: a click leads to the **trace** in Jaeger. Its **log "
    "lines** have the same `trace_id`: `docker compose logs --no-log-prefix | grep TRACE_ID`, or under `eventfold up` "
    "`grep -rh TRACE_ID data/logs`. With Loki, see `provisioning/datasources/datasources.yml`.",
    rows=[
        [
            Panel(
                "Processes up",
                "Processes that answer Prometheus, by service; 0 is one that does not.",
                [Query('min by (service) (up{job=~"eventfold|event-store"})', "{{service}}")],
                "short",
                "stat",
            ),
            Panel(
                "Alerts firing",
                "How many alerts of ours fire now.",
                [Query('count(ALERTS{alertname=~"Eventfold.*",alertstate="firing"}) or vector(0)', "alerts")],
                "short",
                "stat",
                (1, 3),
            ),
            Panel(
                "Stuck processes",
                "Instances that wait for an operator: a compensation has failed.",
                [Query("sum(process:eventfold_process_stuck_instances:max)", "stuck")],
                "short",
                "stat",
                (1,),
            ),
            Panel(
                "Versions",
                "Processes of each version that runs.",
                [Query("count by (version) (eventfold_build_info)", "{{version}}")],
                "short",
                "stat",
            ),
        ],
        [
            Panel(
                "Requests",
                "Requests a second to each service, without health checks and metrics.",
                [Query("service:eventfold_http_requests:rate5m", "{{service}}")],
                "reqps",
            ),
            Panel(
                "Errors",
                "Share of the requests that were answered with 5xx.",
                [Query("service:eventfold_http_errors:ratio_rate5m", "{{service}}")],
                "percentunit",
            ),
            Panel(
                "Time of requests, p99",
                "Ninety-nine requests in a hundred take less. Points are requests with a trace.",
                [Query(quantile(0.99, _REQUESTS, "service", _OURS), "{{service}}")],
                "s",
            ),
        ],
        [
            Panel(
                "Slowest routes, p99",
                "The ten routes with the slowest hundredth.",
                [
                    Query(
                        f"topk(10, {quantile(0.99, _REQUESTS, 'service, method, route', _OURS)})",
                        "{{method}} {{route}}",
                    )
                ],
                "s",
            ),
            LAG_SECONDS,
            Panel(
                "Circuits",
                "0: calls are let through; 1: one is tried; 2: calls are refused, the dependency is silent or away.",
                [Query("max by (service, dependency) (eventfold_circuit_state)", "{{service}} to {{dependency}}")],
                "short",
            ),
        ],
        [
            Panel(
                "Requests in flight",
                "Requests that are being answered now.",
                [Query("sum by (service) (eventfold_http_requests_in_flight)", "{{service}}")],
                "short",
            ),
            Panel(
                "Memory",
                "Resident memory of each process.",
                [Query("process_resident_memory_bytes", "{{service}} {{instance}}")],
                "bytes",
            ),
            Panel(
                "Processor",
                "Processor time that each process uses, in cores.",
                [Query("rate(process_cpu_seconds_total[5m])", "{{service}} {{instance}}")],
                "short",
            ),
        ],
    ],
)
