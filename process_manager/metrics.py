"""The process manager's own metrics for Prometheus; those of every consumer are in subscriptions.metrics."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_process"
_PROCESS = ("process",)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

STUCK = Gauge(f"{_PREFIX}_stuck_instances", "Instances that wait for an operator, whoever runs them", _PROCESS)
RUNNING = Gauge(f"{_PREFIX}_running_instances", "Instances that have begun and not ended, whoever runs them", _PROCESS)
OLDEST = Gauge(
    f"{_PREFIX}_oldest_instance_seconds",
    "Time since the oldest instance began that is running, or stuck; 0 when none is",
    (*_PROCESS, "status"),
)
WAITING = Gauge(
    f"{_PREFIX}_waiting_instances",
    "Instances by what comes next: commands (under way), timer (it is set), timer_overdue (it was due 5 s ago)",
    (*_PROCESS, "next"),
)
DURATION = Histogram(
    f"{_PREFIX}_duration_seconds",
    "Time from an instance's beginning to its end, by its outcome",
    (*_PROCESS, "outcome"),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 604800),
)
REACTIONS = Counter(f"{_PREFIX}_reactions", "Triggers that were decided on: event, answer, timer", (*_PROCESS, "kind"))
COMMANDS = Counter(f"{_PREFIX}_commands", "Commands by what came of them", (*_PROCESS, "step", "outcome"))
COMMAND_SECONDS = Histogram(
    f"{_PREFIX}_command_seconds", "Time from a command's issue to its answer", (*_PROCESS, "step"), buckets=_SECONDS
)
UNANSWERED = Counter(f"{_PREFIX}_unanswered_commands", "Attempts at commands that had no definite answer", _PROCESS)
FAILED = Counter(f"{_PREFIX}_failed_compensations", "Compensations that failed after their retries", _PROCESS)
TIMERS = Counter(f"{_PREFIX}_timers_fired", "Timers that came due", _PROCESS)
TIMER_DELAY = Histogram(
    f"{_PREFIX}_timer_delay_seconds", "Time from when a timer was due to when it fired", _PROCESS, buckets=_SECONDS
)


def show_process(process: str, outcomes: Iterable[str]) -> None:
    """Shows all that is counted of a process as zero, before it first happens."""
    for outcome in outcomes:
        DURATION.labels(process, outcome)
    for counter in (UNANSWERED, FAILED, TIMERS):
        counter.labels(process)
    TIMER_DELAY.labels(process)
    for gauge in (STUCK, RUNNING):
        gauge.labels(process)
    for status in ("running", "stuck"):
        OLDEST.labels(process, status)
    for state in ("commands", "timer", "timer_overdue"):
        WAITING.labels(process, state)
    for kind in ("event", "answer", "timer"):
        REACTIONS.labels(process, kind)
