"""How calls to a service that may be away are bounded, repeated, and refused while it is away."""

from infrastructure.resilience.breaker import CircuitBreaker, CircuitOpen, Permit, State
from infrastructure.resilience.guard import Guard
from infrastructure.resilience.retrying import backoff, retrying

__all__ = ["CircuitBreaker", "CircuitOpen", "Guard", "Permit", "State", "backoff", "retrying"]
