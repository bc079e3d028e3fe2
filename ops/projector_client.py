"""The projector over HTTP: answers are decoded, and a refusal becomes a sentence that says what to do."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import aiohttp
import msgspec

from infrastructure.http.client import NoResponse, ServiceClient, ServiceResponse
from ops.errors import CommandFailed
from ops.locations import Address

T = TypeVar("T")

RETRY_TIMEOUT = 5.0
"""Seconds for which a request is retried while the projector is away; short, because a person waits for it."""

_AWAY = "`eventfold up` starts it, `eventfold status` shows what runs; --projector URL names another one"
_LATER = "try again in a few seconds; `eventfold status` shows what is away"


class ProjectorClient:
    """Every method raises CommandFailed when the projector refuses or gives no answer.

    Other services that are asked the same way are named by `service`; `away` says what to do when one does not answer.
    """

    def __init__(self, client: ServiceClient, service: str = "projector", away: str = _AWAY) -> None:
        self._client = client
        self._service = service
        self._away = away

    async def get(
        self, path: str, kind: type[T], hints: Mapping[int, str] | None = None, **params: str
    ) -> tuple[T, bytes]:
        """The answer to a GET: decoded, and as it came. `hints` say what the user can do, by status code."""
        answer = await self._ask("GET", path, hints, params=params)
        return self._decoded(answer, kind), answer.body

    async def send(
        self, method: str, path: str, hints: Mapping[int, str] | None = None, *, json: Any = None
    ) -> ServiceResponse:
        """Asks for a change; returns once the projector has accepted it."""
        return await self._ask(method, path, hints, json=json)

    async def post(self, path: str, json: Any, kind: type[T], hints: Mapping[int, str] | None = None) -> T:
        """POSTs the body and decodes the answer."""
        return self._decoded(await self._ask("POST", path, hints, json=json), kind)

    async def _ask(
        self,
        method: str,
        path: str,
        hints: Mapping[int, str] | None,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> ServiceResponse:
        try:
            answer = await self._client.request(method, path, params=params, json=json)
        except NoResponse as error:
            if error.last is not None:
                raise CommandFailed(f"the {self._service} can't do that now: {_reason(error.last)}", _LATER) from error
            raise CommandFailed(f"the {self._service} does not answer: {error}", self._away) from error
        if 200 <= answer.status < 300:
            return answer
        raise CommandFailed(_reason(answer), (hints or {}).get(answer.status, ""))

    def _decoded(self, answer: ServiceResponse, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.DecodeError as error:
            where = self._client.base_url
            message = f"{where} does not answer as a {self._service} does: {error}"
            raise CommandFailed(message, self._away) from error


def _reason(answer: ServiceResponse) -> str:
    """A refusal's problem details as one sentence; the answer's beginning where it has none."""
    try:
        problem = answer.json()
        faults = [f"{one['pointer']}: {one['detail']}".removeprefix(": ") for one in problem.get("errors") or []]
        reason = problem.get("detail") or "; ".join(faults) or problem["title"]
        return str(reason)
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        return f"it answers {answer.status} {answer.body[:300].decode(errors='replace')}".rstrip()


@contextlib.asynccontextmanager
async def open_projector(
    address: Address, *, retry_timeout: float | None = None, attempt_timeout: float = 15.0
) -> AsyncIterator[ProjectorClient]:
    """A client of the projector at an address, with the timeouts of ServiceClient; `retry_timeout` is RETRY_TIMEOUT
    unless another one is given."""
    async with aiohttp.ClientSession() as session:
        client = ServiceClient(
            address.url, session, retry_timeout or RETRY_TIMEOUT, attempt_timeout, tokens=address.tokens
        )
        yield ProjectorClient(client)
