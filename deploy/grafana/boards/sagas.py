"""The processes: what runs, what waits, what has failed."""

from deploy.grafana.boards.common import quantile, rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

SAGAS = Dashboard(
    "eventfold-sagas",
    "Eventfold: sagas",
    "The processes: what runs, what waits, what has failed.",
    rows=[
        [
            Panel(
                "Stuck",
                "Instances that wait for an operator. `eventfold sagas list --stuck` names them.",
                [Query("process:eventfold_process_stuck_instances:max", "{{process}}")],
                "short",
                "stat",
                (1,),
            ),
            Panel(
                "Running",
                "Instances that have begun and not ended.",
                [Query("process:eventfold_process_running_instances:max", "{{process}}")],
                "short",
                "stat",
            ),
            Panel(
                "Oldest",
                "Time since the oldest instance began that is still running, or stuck.",
                [
                    Query(
                        "max by (process, status) (eventfold_process_oldest_instance_seconds)", "{{process}} {{status}}"
                    )
                ],
                "s",
                "stat",
            ),
        ],
        [
            Panel(
                "Outcomes",
                "Instances that end, by their outcome.",
                [
                    Query(
                        rate_by("eventfold_process_duration_seconds_count", "process, outcome"),
                        "{{process}} {{outcome}}",
                    )
                ],
                "ops",
            ),
            Panel(
                "Time from beginning to end",
                "Half of the instances take less than p50. Points are instances with a trace.",
                [
                    Query(
                        quantile(q, "eventfold_process_duration_seconds", "process"),
                        f"{{{{process}}}} p{round(q * 100)}",
                    )
                    for q in (0.5, 0.99)
                ],
                "s",
            ),
            Panel(
                "What comes next",
                "Running instances: commands are under way, a timer is set, or a timer was due and has not fired.",
                [
                    Query(
                        "max by (process, next) (eventfold_process_waiting_instances)",
                        "{{process}} {{next}}",
                    )
                ],
                "short",
            ),
        ],
        [
            Panel(
                "Commands",
                "Commands of the processes, by what came of them.",
                [Query(rate_by("eventfold_process_commands_total", "step, outcome"), "{{step}} {{outcome}}")],
                "ops",
            ),
            Panel(
                "Time of a command, p99",
                "From its issue to its answer, with all attempts.",
                [Query(quantile(0.99, "eventfold_process_command_seconds", "step"), "{{step}}")],
                "s",
            ),
            Panel(
                "Without an answer",
                "Attempts at commands that had no definite answer; and compensations that failed for good.",
                [
                    Query(rate_by("eventfold_process_unanswered_commands_total", "process"), "{{process}} unanswered"),
                    Query(rate_by("eventfold_process_failed_compensations_total", "process"), "{{process}} failed"),
                ],
                "ops",
            ),
        ],
        [
            Panel(
                "Timers",
                "Timers that fire.",
                [Query(rate_by("eventfold_process_timers_fired_total", "process"), "{{process}}")],
                "ops",
            ),
            Panel(
                "Delay of timers, p99",
                "From when a timer was due to when it fired.",
                [Query(quantile(0.99, "eventfold_process_timer_delay_seconds", "process"), "{{process}}")],
                "s",
            ),
            Panel(
                "Payment provider",
                "What the payment provider answered.",
                [Query(rate_by("eventfold_payment_provider_answers_total", "call, outcome"), "{{call}} {{outcome}}")],
                "ops",
            ),
            Panel(
                "Signing provider",
                "Contracts that were sent there, and how contracts took what it told.",
                [
                    Query(rate_by("eventfold_signature_requests_total", "outcome"), "request {{outcome}}"),
                    Query(rate_by("eventfold_signature_results_total", "outcome"), "result {{outcome}}"),
                ],
                "ops",
            ),
        ],
        [
            Panel(
                "Calls to the outside, p99",
                "With the wait for a place and retries. Points are calls with a trace.",
                [Query(quantile(0.99, "eventfold_outside_call_seconds", "dependency"), "{{dependency}}")],
                "s",
            ),
            Panel(
                "Notifications",
                "What customers were told, by how it ended.",
                [Query(rate_by("eventfold_notifications_total", "outcome"), "{{outcome}}")],
                "ops",
            ),
            Panel(
                "Retries",
                "Attempts after the first, and those not made because the budget was spent.",
                [
                    Query(rate_by("eventfold_retries_total", "dependency"), "{{dependency}}"),
                    Query(rate_by("eventfold_retries_denied_total", "dependency"), "{{dependency}} denied"),
                ],
                "ops",
            ),
        ],
    ],
)
