"""What each role may do: a token names roles, and these are the scopes that they stand for."""

from collections.abc import Mapping

METRICS = "metrics:read"
"""May read /metrics where they are not open to anybody."""
UNLIMITED = "unlimited"
"""Is not rate limited: our own services and operators."""
ACT_FOR_OTHERS = "act-for-others"
"""May say by `Eventfold-Actor` for whom it acts."""

ROLES: Mapping[str, frozenset[str]] = {
    "customer": frozenset(),
    "staff": frozenset(),
    "operator": frozenset({METRICS, UNLIMITED}),
    "service": frozenset({METRICS, UNLIMITED, ACT_FOR_OTHERS}),
}
"""The scopes of each role."""
