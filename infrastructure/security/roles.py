"""What each role may do: a token names roles, and these are the scopes that they stand for."""

from collections.abc import Mapping

from infrastructure.security.scopes import METRICS, UNLIMITED

ROLES: Mapping[str, frozenset[str]] = {
    "customer": frozenset(),
    "staff": frozenset(),
    "operator": frozenset({METRICS, UNLIMITED}),
    "service": frozenset({METRICS, UNLIMITED, "act-for-others"}),
}
"""The scopes of each role."""
