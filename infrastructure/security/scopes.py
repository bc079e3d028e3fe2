"""Scopes that no route of a service's own asks for."""

METRICS = "metrics:read"
"""May read /metrics where they are not open to anybody."""
UNLIMITED = "unlimited"
"""Is not rate limited: our own services, and operators."""
