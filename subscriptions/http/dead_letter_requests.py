"""What all requests for dead letters have in common."""

from typing import Annotated, Any

from litestar import Request
from msgspec import Meta

from domain.model.access import Access
from domain.model.identifiers import TEXT_PATTERN
from infrastructure.security.identity import identity_of

HttpRequest = Request[Any, Any, Any]

TAGS = ["dead letters"]
READ = Access("dead-letters:read", shared=True)
OPERATE = Access("dead-letters:operate", shared=True)
UNKNOWN = {404: "There is no such consumer, or no such dead letter"}
AWAY = {503: "A store can't be reached, or not every process has answered"}

GROUP = "^[0-9a-f]{12}$"
"""What a fingerprint looks like."""

Reason = Annotated[str, Meta(min_length=1, max_length=1000, pattern=TEXT_PATTERN)]
"""Why something is left out for good."""


def sender(request: HttpRequest) -> str:
    """Who asks: the subject of the token."""
    return identity_of(request.scope).subject
