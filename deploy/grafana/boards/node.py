"""The embedded event store node."""

from deploy.grafana.boards.common import rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

NODE = Dashboard(
    "eventfold-node",
    "Eventfold: event store node",
    "The embedded node. EventStoreDB has series of its own at its /metrics, which Prometheus collects too.",
    rows=[
        [
            Panel(
                "Takes writes",
                "1, or 0 once its log was found damaged.",
                [Query("eventfold_node_accepts_writes", "{{instance}}")],
                "short",
                "stat",
            ),
            Panel(
                "Free disk",
                "What is free on the disk that the log is on.",
                [Query("eventfold_node_disk_free_bytes", "{{instance}}")],
                "bytes",
                "stat",
            ),
            Panel(
                "Disk",
                "The size of that disk.",
                [Query("eventfold_node_disk_size_bytes", "{{instance}}")],
                "bytes",
                "stat",
            ),
        ],
        [
            Panel(
                "Log",
                "Position of the newest event, which is the log's size in bytes: of the node, and as services see it.",
                [
                    Query("eventfold_node_log_position", "node"),
                    Query("max(eventfold_event_log_position)", "as services see it"),
                ],
                "bytes",
            ),
            Panel(
                "Files",
                "Size of the log's files on disk: the events with their indexes.",
                [Query("eventfold_node_log_file_bytes", "{{instance}}")],
                "bytes",
            ),
            Panel(
                "Growth",
                "Bytes a second that the log grows by.",
                [Query("deriv(eventfold_node_log_position[5m])", "{{instance}}")],
                "Bps",
            ),
        ],
        [
            Panel(
                "Events appended",
                "Events a second, by who appends them.",
                [Query(rate_by("eventfold_appended_events_total", "service"), "{{service}}")],
                "ops",
            ),
            Panel(
                "Memory",
                "Resident memory of the node.",
                [Query('process_resident_memory_bytes{job="event-store"}', "{{instance}}")],
                "bytes",
            ),
            Panel(
                "Processor",
                "Processor time that the node uses, in cores.",
                [Query('rate(process_cpu_seconds_total{job="event-store"}[5m])', "{{instance}}")],
                "short",
            ),
        ],
    ],
)
