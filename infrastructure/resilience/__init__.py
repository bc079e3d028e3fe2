"""How calls to a service that may be away are bounded, repeated, and refused while it is away."""

from infrastructure.resilience.breaker import CircuitBreaker, CircuitOpen, Permit, State
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.bulkhead import Bulkhead, BulkheadFull
from infrastructure.resilience.faults import DependencyUnavailable, TransientFault
from infrastructure.resilience.guard import Guard
from infrastructure.resilience.guarded_places import GuardedPlaces
from infrastructure.resilience.limits import Limits
from infrastructure.resilience.policy import Policy
from infrastructure.resilience.retry import Delays, retry_after_seconds
from infrastructure.resilience.retrying import backoff, retrying

__all__ = [
    "Bulkhead",
    "BulkheadFull",
    "CircuitBreaker",
    "CircuitOpen",
    "Delays",
    "DependencyUnavailable",
    "Guard",
    "GuardedPlaces",
    "Limits",
    "Permit",
    "Policy",
    "RetryBudget",
    "State",
    "TransientFault",
    "backoff",
    "retry_after_seconds",
    "retrying",
]
