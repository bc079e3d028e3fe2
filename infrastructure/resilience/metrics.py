"""What Prometheus is shown of every dependency: circuits, places, retries, and how calls end.

Services that are composed as one process have each their own circuit and places for a store: shown are the worst of the
circuits, and all places together.
"""

from collections import defaultdict
from typing import Final
from weakref import WeakSet

from prometheus_client import Counter, Gauge, Histogram

from infrastructure.resilience.breaker import CircuitBreaker, State
from infrastructure.resilience.bulkhead import Bulkhead

CIRCUIT_STATE = Gauge(
    "eventfold_circuit_state", "Whether calls are let through: 0 closed (yes), 1 half-open, 2 open (no)", ["dependency"]
)
CIRCUIT_OPENED = Counter("eventfold_circuit_opened", "How often a dependency was found silent or away", ["dependency"])
CIRCUIT_REFUSED = Counter("eventfold_circuit_refused", "Calls refused at once, without being made", ["dependency"])
CIRCUIT_PROBES = Counter(
    "eventfold_circuit_probes", "Probes of a store that is away: answered, failed", ["dependency", "outcome"]
)
BULKHEAD_CALLS = Gauge(
    "eventfold_bulkhead_calls", "Calls that have a place (running), or wait for one (waiting)", ["dependency", "state"]
)
BULKHEAD_REFUSED = Counter("eventfold_bulkhead_refused", "Calls refused because the queue was full", ["dependency"])
RETRIES = Counter("eventfold_retries", "Attempts after the first", ["dependency"])
RETRIES_DENIED = Counter(
    "eventfold_retries_denied", "Retries not made although some were left: the budget was spent", ["dependency"]
)
FALLBACKS = Counter("eventfold_fallbacks", "Calls answered by their fallback", ["dependency"])
OUTSIDE_SECONDS = Histogram(
    "eventfold_outside_call_seconds",
    "Time of a call with its wait for a place and its retries, by how it ended: answered, unavailable",
    ["dependency", "outcome"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

STATE_VALUES: Final[dict[State, int]] = {"closed": 0, "half_open": 1, "open": 2}
_circuits: defaultdict[str, WeakSet[CircuitBreaker]] = defaultdict(WeakSet)
_places: defaultdict[str, WeakSet[Bulkhead]] = defaultdict(WeakSet)


def show_policy(name: str, bulkhead: Bulkhead, breaker: CircuitBreaker) -> None:
    """Shows a dependency from the start: its counters at zero, its circuit and its places as they are."""
    _show_circuit(name, breaker)
    for counter in (CIRCUIT_OPENED, CIRCUIT_REFUSED, RETRIES, RETRIES_DENIED, FALLBACKS):
        counter.labels(name)
    show_bulkhead(name, bulkhead)


def show_guard(name: str, breaker: CircuitBreaker) -> None:
    """Shows what is guarded from the start: its counters at zero, its circuit as it is."""
    _show_circuit(name, breaker)
    for counter in (CIRCUIT_OPENED, CIRCUIT_REFUSED):
        counter.labels(name)
    for outcome in ("answered", "failed"):
        CIRCUIT_PROBES.labels(name, outcome)


def show_bulkhead(name: str, bulkhead: Bulkhead) -> None:
    """Shows a dependency's places as they are."""
    BULKHEAD_REFUSED.labels(name)
    together = _places[name]
    together.add(bulkhead)
    BULKHEAD_CALLS.labels(name, "running").set_function(lambda: sum(one.running for one in together))
    BULKHEAD_CALLS.labels(name, "waiting").set_function(lambda: sum(one.waiting for one in together))


def hide_circuit(name: str, breaker: CircuitBreaker) -> None:
    """Shows it no longer: nobody calls through it any more."""
    _circuits[name].discard(breaker)


def _show_circuit(name: str, breaker: CircuitBreaker) -> None:
    together = _circuits[name]
    together.add(breaker)
    CIRCUIT_STATE.labels(name).set_function(
        lambda: max((STATE_VALUES[one.state] for one in together), default=STATE_VALUES["closed"])
    )
