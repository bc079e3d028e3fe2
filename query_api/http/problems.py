"""The problems that every query can meet."""

from infrastructure.http.problems import Problem


def malformed(detail: str) -> Problem:
    """400: the request can't be right, and why."""
    return Problem(400, "malformed-request", "The request is malformed", detail)


def not_found(what: str) -> Problem:
    """404: there is no such thing (or the view does not know it yet)."""
    return Problem(404, "not-found", "Not found", f"there is no {what}")
