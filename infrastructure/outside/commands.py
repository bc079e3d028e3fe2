"""Sending commands to the command API: by HTTP, under a policy, with an idempotency key each."""

from collections.abc import Mapping
from typing import Any, Protocol, Self
from urllib.parse import quote

from msgspec import Struct

from domain.model.identifiers import is_identifier
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.http_client import HttpClient, JsonResponse, UnusableResponse
from infrastructure.outside.transport import Received
from infrastructure.resilience import Policy
from infrastructure.security.own_tokens import NoToken, TokenSource, service_tokens
from infrastructure.settings import Settings

_TYPES = "urn:eventfold:problem:"
_NEWER = f'"{_TYPES}newer-history"'.encode()
_MAX_DETAIL = 2_000


class CommandAnswer(Struct, frozen=True):
    """What came of a command, for good.

    `accepted`: it was carried out, now or at an earlier attempt; `revision` and `position` say where its last event
    stands. Otherwise it was refused: `code` is the rule's, or else the kind of the problem (such as "not-found"), and
    `detail` is for people.
    """

    accepted: bool
    status: int
    code: str = ""
    detail: str = ""
    revision: int | None = None
    position: int | None = None


class CommandSender(Protocol):
    """Has commands carried out, by whichever way."""

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> CommandAnswer:
        """Sends a command to the aggregate `aggregate_id` of the kind `plural`; with the action "" it is the one that
        creates it.

        The same `key` with the same body is the same command, however often it is sent; the events say that it caused
        them, and a key that is derived from the cause leads on to that.

        Raises DependencyUnavailable where no definite answer is known.
        """


class CommandClient:
    """The command API behind an HTTP client; `actor` is who is said to act, `tokens` prove it. Closes the client with
    itself."""

    def __init__(self, http: HttpClient, actor: str, tokens: TokenSource | None = None) -> None:
        self._http = http
        self._actor = actor
        self._tokens = tokens or NoToken()

    @classmethod
    def from_settings(
        cls, settings: Settings, actor: str, tokens: TokenSource | None = None, *, calls: Calls = OVER_NETWORK
    ) -> Self:
        """The command API that the settings name, unless `calls` lead elsewhere, and the token that they say, unless
        one is given. Raises InvalidSettings."""
        return cls(calls.to_commands(settings), actor, tokens or service_tokens(settings, actor))

    @property
    def policy(self) -> Policy:
        return self._http.policy

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> CommandAnswer:
        """As CommandSender says. A refusal is an answer. That others kept changing the aggregate at the same moment,
        that there is no such path, or that our token is not taken, is none, and is repeated like a fault."""
        if not is_identifier(aggregate_id):
            # Some of them would not even reach the command: a slash makes another path of it.
            return CommandAnswer(
                False, 400, "invalid-command", f"{aggregate_id[:100]!r} can't be the id of an aggregate"
            )
        headers = {"Idempotency-Key": key, "Eventfold-Actor": self._actor}
        if (token := self._tokens.token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        if correlation_id is not None:
            headers["X-Correlation-ID"] = correlation_id
        path = "/" + "/".join(quote(part, safe="") for part in (plural, aggregate_id, action) if part)
        method = "POST" if action else "PUT"
        response = await self._http.request(
            method,
            path,
            json=body,
            headers=headers,
            idempotent=True,
            is_transient=_is_no_answer,
            serves_others=_is_about_one,
        )
        return _accepted(response, path) if response.status < 300 else _refused(response)

    async def close(self) -> None:
        await self._http.close()


def _is_no_answer(response: JsonResponse) -> bool:
    """Whether it says nothing of the command: others kept changing the aggregate, or there is no such command at the
    address, because it is not a command API's, or one of another release, or it does not take our token: then the
    command is as good as before, and must not count as refused."""
    kind = _text(response.body, "type")
    if response.status in (401, 403):
        return True
    if response.status in (404, 405):
        return not kind.startswith(_TYPES) or kind in (f"{_TYPES}no-such-path", f"{_TYPES}method-not-allowed")
    return response.status == 409 and kind == f"{_TYPES}contended"


def _is_about_one(response: Received) -> bool:
    """Whether it is this aggregate alone that can't be served: its stream holds an event of a newer release."""
    return response.status == 503 and _NEWER in response.content


def _accepted(response: JsonResponse, path: str) -> CommandAnswer:
    body = response.body if isinstance(response.body, dict) else {}
    revision, position = body.get("version"), body.get("position")
    if not isinstance(revision, int) or not isinstance(position, int):
        raise UnusableResponse(f"{path}: {response.status} without a version and a position; is this a command API?")
    return CommandAnswer(True, response.status, revision=revision, position=position)


def _refused(response: JsonResponse) -> CommandAnswer:
    body = response.body
    kind = _text(body, "type").removeprefix(_TYPES)
    code = _text(body, "code") or kind or f"status-{response.status}"
    detail = _text(body, "detail") or _text(body, "title") or f"status {response.status}"
    return CommandAnswer(False, response.status, code, detail[:_MAX_DETAIL])


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
