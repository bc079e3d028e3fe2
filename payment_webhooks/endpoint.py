"""The route: is it the provider's, is it whole, is it new? Kept before it is acknowledged."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from litestar import Request, Response, post
from msgspec import Struct
from prometheus_client import Counter

from domain.model.access import PUBLIC
from domain.model.identifiers import is_identifier
from infrastructure.http.openapi import documented
from infrastructure.http.problems import Problem, unavailable
from infrastructure.outside.commands import CommandAnswer, CommandSender
from infrastructure.outside.sandbox_signature import WebhookRefused
from infrastructure.resilience import DependencyUnavailable
from infrastructure.telemetry.spans import note

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 65_536
OUTCOMES = ("kept", "repeated", "ignored", "unsigned", "malformed", "unavailable")
_SEEN = ("result-kept", "idempotency-key-reused")


_PROBLEMS = {
    400: "It can't be read",
    401: "It is not proven to be theirs",
    413: "The body is too large",
    429: "They come too often",
    503: "It can't be kept now",
}
# Of RFC 9110 a 401 names how one proves oneself; this is no scheme that is registered, and nobody is asked for a
# password by it.
_CHALLENGE = {"WWW-Authenticate": "Webhook-Signature"}


class Told(Struct, frozen=True):
    """What a webhook tells. `id` is the same when it is delivered again; `reference` is our own name of what it is
    about; `known` says whether its kind concerns us. `fields` go into the command that keeps it, with its id, its kind
    and its body."""

    id: str
    kind: str
    reference: str
    known: bool
    fields: Mapping[str, object]


class WebhookRoute(Struct, frozen=True):
    """The webhooks of one provider. `read(headers, body, now)` gives what one tells, or raises WebhookRefused; `plural`
    is the kind of aggregate that keeps it; `counter` counts by outcome."""

    provider: str
    path: str
    operation: str
    tag: str
    plural: str
    counter: Counter
    read: Callable[[Mapping[str, str], bytes, float], Told]


class Acknowledgement(Struct, frozen=True):
    """The webhook need not be sent again. `outcome` is kept, repeated or ignored."""

    outcome: str


def webhook_route(route: WebhookRoute, commands: CommandSender) -> Any:
    """POST to the path of the provider."""

    @post(
        route.path,
        operation_id=route.operation,
        summary=f"Take what the {route.provider} provider tells",
        description="The body as the provider signed it, with its signature header. What is of an unknown type is kept "
        "and ignored; what was told before changes nothing.",
        tags=[route.tag],
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        # The provider has no token of ours: its signature proves who it is.
        **documented(_PROBLEMS, access=PUBLIC),
    )
    async def take(request: Request[Any, Any, Any]) -> Response[Acknowledgement]:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            told = route.read(headers, body, time.time())
        except WebhookRefused as refused:
            route.counter.labels("unsigned" if refused.unsigned else "malformed").inc()
            log.warning("a webhook was refused", provider=route.provider, error=str(refused), bytes=len(body))
            raise _refusal(refused) from refused
        try:
            answer = await _keep(route, commands, told, body)
        except DependencyUnavailable as error:
            route.counter.labels("unavailable").inc()
            raise unavailable("command API", error) from error
        outcome = _outcome_of(route, told, answer)
        note({"eventfold.webhook.kind": told.kind[:100], "eventfold.webhook.outcome": outcome})
        return Response(Acknowledgement(outcome), status_code=200)

    return take


async def _keep(route: WebhookRoute, commands: CommandSender, told: Told, body: bytes) -> CommandAnswer:
    # What is about no order of ours is kept under its own id.
    about = told.reference if is_identifier(told.reference) else told.id
    kept = {"result_id": told.id, "kind": told.kind, **told.fields, "body": body.decode()}
    return await commands.send(route.plural, about, "keep", kept, key=f"webhook-{told.id}")


def _outcome_of(route: WebhookRoute, told: Told, answer: CommandAnswer) -> str:
    """Raises Problem when it was not kept, so that it is not acknowledged."""
    provider = route.provider
    if answer.accepted:
        outcome = "kept" if told.known else "ignored"
        if outcome == "ignored":
            log.warning(
                "a webhook of an unknown type was kept and ignored",
                provider=provider,
                result_id=told.id,
                result_kind=told.kind[:100],
            )
    elif answer.code in _SEEN:
        # The same id with another body: the provider contradicts itself, and what came first stands.
        outcome = "repeated"
        log.warning("a webhook came again", provider=provider, result_id=told.id, code=answer.code)
    else:
        route.counter.labels("malformed").inc()
        log.error(
            "a webhook could not be kept",
            provider=provider,
            result_id=told.id,
            code=answer.code,
            detail=answer.detail,
        )
        raise Problem(400, "malformed-webhook", "The webhook can't be kept", answer.detail)
    route.counter.labels(outcome).inc()
    return outcome


def _refusal(refused: WebhookRefused) -> Problem:
    if refused.unsigned:
        title = "The webhook is not proven to be the provider's"
        return Problem(401, "unsigned-webhook", title, str(refused), headers=_CHALLENGE)
    return Problem(400, "malformed-webhook", "The webhook can't be read", str(refused))
