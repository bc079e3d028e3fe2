"""How a client's requests get to whoever answers them: the port of infrastructure.outside.http_client."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct
from yarl import URL

_EXCERPT = 200


class UnusableResponse(Exception):
    """The service answered with something that is no answer of such an API, and would again; the message says what."""


class Received(Struct, frozen=True):
    """A response as it came; the names of headers are not case-sensitive."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transport(Protocol):
    """Carries requests, each of them once."""

    async def send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str], *, max_body: int
    ) -> Received:
        """Sends a request, and waits for the whole response; `max_body` is in bytes. Redirects are not followed.

        Raises TransientFault where there is no response, and UnusableResponse for a body that is larger.
        """

    async def close(self) -> None:
        """Gives up what it holds."""


def too_large(method: str, url: URL, status: int, max_body: int) -> UnusableResponse:
    """The response has more than may be read of it."""
    return UnusableResponse(f"{method} {url.path}: {status} with a body of over {max_body} bytes")


def one_line(text: str) -> str:
    """An error's text, short enough for a message."""
    return " ".join(text.split())[:_EXCERPT]
