"""Paths that are open to all: who looks after a service asks them, or a stranger who proves himself in another way."""

from infrastructure.http.api_pages import PATH

HEALTH = frozenset({"/health/live", "/health/ready"})
METRICS = "/metrics"
_PAGES = frozenset({"/", PATH})


class OpenPaths:
    """`others` are those of one service."""

    def __init__(self, *others: str) -> None:
        self._exact = HEALTH | _PAGES | frozenset(others)
        self._below_pages = f"{PATH}/"

    def __contains__(self, path: object) -> bool:
        return path in self._exact or (isinstance(path, str) and path.startswith(self._below_pages))
