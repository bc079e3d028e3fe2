"""What the adapters of the sandbox providers have in common: how these answer, and what their refusals mean."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from infrastructure.outside.http_client import HttpClient, JsonResponse, UnusableResponse
from infrastructure.resilience import DependencyUnavailable

_S = TypeVar("_S", bound=Struct)
_OUR_FAULT = frozenset({400, 409, 413, 422})
"""Statuses by which a provider says that it will never do it."""


class SandboxApi:
    """The API of one provider. What it refuses is raised as `refused`."""

    def __init__(self, http: HttpClient, refused: type[Exception]) -> None:
        self.http = http
        self._name = http.policy.name
        self._refused = refused

    async def ask(
        self, method: str, path: str, *, key: str = "", json: Any = None, params: Mapping[str, str] | None = None
    ) -> JsonResponse:
        """The response, whatever it says. Raises DependencyUnavailable."""
        headers = {"Idempotency-Key": key} if key else {}
        try:
            return await self.http.request(method, path, json=json, params=params, headers=headers, idempotent=True)
        except UnusableResponse as error:
            # It is not known what came of it, and no order can mend it: somebody else answers in the provider's place.
            raise DependencyUnavailable(self._name, str(error)) from error

    def done(self, response: JsonResponse, kind: type[_S]) -> _S:
        """What was asked for. Raises what the provider refuses, and DependencyUnavailable."""
        self.require(response)
        return self.converted(response.body, kind)

    def require(self, response: JsonResponse) -> None:
        """Raises what the provider refuses, and DependencyUnavailable for what is no answer."""
        code, detail = error_of(response)
        if response.status in _OUR_FAULT or is_missing(response):
            raise self._refused(f"{code}: {detail}")
        if response.status >= 300:
            # Such as 401: the key is wrong. That is no order's fault either.
            raise DependencyUnavailable(self._name, f"{response.status} {code}: {detail}")

    def converted(self, told: Any, kind: type[_S]) -> _S:
        """Raises DependencyUnavailable where it is not what it should be."""
        try:
            return msgspec.convert(told, kind)
        except (msgspec.ValidationError, OverflowError) as error:
            raise DependencyUnavailable(self._name, f"its answer is not what it should be: {error}") from error


def is_missing(response: JsonResponse) -> bool:
    """Whether the provider says that there is no such thing."""
    return response.status == 404 and error_of(response)[0] == "not-found"


def error_of(response: JsonResponse) -> tuple[str, str]:
    """The code and the detail of a refusal."""
    error = response.body.get("error") if isinstance(response.body, dict) else None
    told = error if isinstance(error, dict) else {}
    return str(told.get("code", "")), str(told.get("detail", ""))[:500]
