"""Asking the query API: by HTTP, under a policy, as one of our own services."""

from typing import Self
from urllib.parse import quote

from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.http_client import HttpClient, JsonResponse
from infrastructure.resilience import Policy
from infrastructure.security.own_tokens import NoToken, TokenSource, service_tokens
from infrastructure.settings import Settings


class QueryClient:
    """The query API behind an HTTP client; `tokens` prove who asks. Closes the client with itself."""

    def __init__(self, http: HttpClient, tokens: TokenSource | None = None) -> None:
        self._http = http
        self._tokens = tokens or NoToken()

    @classmethod
    def from_settings(cls, settings: Settings, subject: str, *, calls: Calls = OVER_NETWORK) -> Self:
        """The query API that the settings name, unless `calls` lead elsewhere, asked by the service `subject`. Raises
        InvalidSettings."""
        return cls(calls.to_queries(settings), service_tokens(settings, subject))

    @property
    def policy(self) -> Policy:
        return self._http.policy

    async def get(self, *path: str) -> JsonResponse:
        """The response at the path of these parts, 2xx or 4xx: of a file the `content` alone. That our token is not
        taken is none.

        Raises DependencyUnavailable and UnusableResponse.
        """
        token = self._tokens.token()
        headers = {"Accept": "*/*"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        target = "/" + "/".join(quote(part, safe="") for part in path)
        return await self._http.request("GET", target, headers=headers, is_transient=_is_not_let_in)

    async def close(self) -> None:
        await self._http.close()


def _is_not_let_in(response: JsonResponse) -> bool:
    return response.status in (401, 403)
