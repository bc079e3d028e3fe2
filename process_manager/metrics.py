"""The process manager's own metrics for Prometheus; those of every consumer are in subscriptions.metrics."""

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "eventfold_process"
_PROCESS = ("process",)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

STUCK = Gauge(f"{_PREFIX}_stuck_instances", "Instances that wait for an operator, whoever runs them", _PROCESS)
RUNNING = Gauge(f"{_PREFIX}_running_instances", "Instances that have begun and not ended, whoever runs them", _PROCESS)
REACTIONS = Counter(f"{_PREFIX}_reactions", "Triggers that were decided on", (*_PROCESS, "kind"))
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
