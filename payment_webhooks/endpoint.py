"""The route: is it the provider's, is it whole, is it new? Kept before it is acknowledged."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import Counter

from domain.model.access import PUBLIC
from domain.model.identifiers import is_identifier
from infrastructure.http.problems import Problem, ProblemDetails, unavailable
from infrastructure.http.rules import ACCESS
from infrastructure.outside.commands import CommandAnswer, CommandSender
from infrastructure.outside.payments import ProviderEvent, WebhookReader, WebhookRefused
from infrastructure.resilience import DependencyUnavailable
from infrastructure.telemetry.spans import note

log = structlog.get_logger(__name__)

PATH = "/payment-webhooks"
MAX_BODY_BYTES = 65_536

_WEBHOOKS = Counter(
    "eventfold_payment_webhooks",
    "Webhooks of the payment provider, by what became of them: kept, repeated, ignored (of an unknown type, kept too), "
    "unsigned, malformed, unavailable (not acknowledged)",
    ["outcome"],
)
for _outcome in ("kept", "repeated", "ignored", "unsigned", "malformed", "unavailable"):
    _WEBHOOKS.labels(_outcome)
_SEEN = ("result-kept", "idempotency-key-reused")

KindIsKnown = Callable[[str], bool]


class Acknowledgement(Struct, frozen=True):
    """The webhook need not be sent again. `outcome` is kept, repeated or ignored."""

    outcome: str


def webhook_route(reader: WebhookReader, commands: CommandSender, known: KindIsKnown) -> Any:
    """POST /payment-webhooks."""

    @post(
        PATH,
        operation_id="TakePaymentWebhook",
        summary="Take what the payment provider tells",
        description="The body as the provider signed it, with its signature header. What is of an unknown type is kept "
        "and ignored; what was told before changes nothing.",
        tags=["payments"],
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        responses={
            400: ResponseSpec(ProblemDetails, description="It can't be read", generate_examples=False),
            401: ResponseSpec(ProblemDetails, description="It is not proven to be theirs", generate_examples=False),
            429: ResponseSpec(ProblemDetails, description="They come too often", generate_examples=False),
            503: ResponseSpec(ProblemDetails, description="It can't be kept now", generate_examples=False),
        },
        # The provider has no token of ours: its signature proves who it is.
        opt={ACCESS: PUBLIC},
    )
    async def take(request: Request[Any, Any, Any]) -> Response[Acknowledgement]:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            event = reader.read(headers, body, time.time())
        except WebhookRefused as refused:
            _WEBHOOKS.labels("unsigned" if refused.unsigned else "malformed").inc()
            log.warning("a payment webhook was refused", error=str(refused), bytes=len(body))
            raise _refusal(refused) from refused
        try:
            answer = await _keep(commands, event, body)
        except DependencyUnavailable as error:
            _WEBHOOKS.labels("unavailable").inc()
            raise unavailable("command API", error) from error
        outcome = _outcome_of(event, answer, known)
        note({"eventfold.webhook.kind": event.kind[:100], "eventfold.webhook.outcome": outcome})
        return Response(Acknowledgement(outcome), status_code=200)

    return take


async def _keep(commands: CommandSender, event: ProviderEvent, body: bytes) -> CommandAnswer:
    # What is about no order of ours is kept under its own id.
    about = event.reference if is_identifier(event.reference) else event.id
    told = {
        "result_id": event.id,
        "kind": event.kind,
        "charge_id": event.charge_id,
        "refund_id": event.refund_id,
        "currency": event.currency,
        "amount": event.amount,
        "charged": event.charged,
        "reason": event.reason,
        "body": body.decode(),
    }
    return await commands.send("provider-results", about, "keep", told, key=f"webhook-{event.id}")


def _outcome_of(event: ProviderEvent, answer: CommandAnswer, known: KindIsKnown) -> str:
    """Raises Problem when it was not kept, so that it is not acknowledged."""
    if answer.accepted:
        outcome = "kept" if known(event.kind) else "ignored"
        if outcome == "ignored":
            log.warning(
                "a payment webhook of an unknown type was kept and ignored",
                result_id=event.id,
                result_kind=event.kind[:100],
            )
    elif answer.code in _SEEN:
        # The same id with another body: the provider contradicts itself, and what came first stands.
        outcome = "repeated"
        log.warning("a payment webhook came again", result_id=event.id, code=answer.code)
    else:
        _WEBHOOKS.labels("malformed").inc()
        log.error("a payment webhook could not be kept", result_id=event.id, code=answer.code, detail=answer.detail)
        raise Problem(400, "malformed-webhook", "The webhook can't be kept", answer.detail)
    _WEBHOOKS.labels(outcome).inc()
    return outcome


def _refusal(refused: WebhookRefused) -> Problem:
    if refused.unsigned:
        return Problem(401, "unsigned-webhook", "The webhook is not proven to be the provider's", str(refused))
    return Problem(400, "malformed-webhook", "The webhook can't be read", str(refused))
