"""What several dashboards need: queries over five minutes, and panels that stand on more than one."""

from deploy.grafana.panels import Panel, Query


def quantile(q: float, metric: str, by: str, where: str = "") -> str:
    """A quantile of a histogram over five minutes, for each value of the label `by`, or of all with ""."""
    labels = f"{by}, le" if by else "le"
    selector = f"{{{where}}}" if where else ""
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{selector}[5m])))"


def rate_by(metric: str, by: str, where: str = "") -> str:
    """How much a counter grows a second over five minutes, for each value of the labels `by`."""
    selector = f"{{{where}}}" if where else ""
    return f"sum by ({by}) (rate({metric}{selector}[5m]))"


REQUEST_SECONDS = "eventfold_http_request_seconds"
COMMANDS = 'service="command-api",method=~"POST|PUT",route!="/log-level"'
QUERIES = 'service="query-api",method="GET",route!~"/|/metrics|/log-level|/health/.*|/schema.*"'

LAG_SECONDS = Panel(
    "Lag",
    "Age of the oldest event that a consumer has not handled. Rises by a second a second when it stands still.",
    [Query("consumer:eventfold_consumer_lag_seconds:max", "{{consumer}}")],
    "s",
)
PARKED_GROUPS = Panel(
    "Parked events by fault",
    "The largest groups of dead letters that failed alike, by fingerprint: `eventfold dead-letters show --group ...`.",
    [Query("max by (consumer, group) (eventfold_consumer_parked_group_events)", "{{consumer}} {{group}}")],
    "short",
)
PARKED = Panel(
    "Parked events",
    "Events that a consumer could not process, and those of the same key behind them. `eventfold dead-letters list`.",
    [Query("consumer:eventfold_consumer_parked_events:max", "{{consumer}}")],
    "short",
)
