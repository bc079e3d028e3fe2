"""What the payment provider tells."""

from collections.abc import Mapping

from prometheus_client import Counter

from infrastructure.outside.payments import WebhookReader
from infrastructure.outside.payments.sandbox_webhooks import KINDS, SandboxWebhooks
from infrastructure.settings import Settings
from payment_webhooks.endpoint import OUTCOMES, Told, WebhookRoute

PATH = "/payment-webhooks"

_WEBHOOKS = Counter(
    "eventfold_payment_webhooks",
    "Webhooks of the payment provider, by what became of them: kept, repeated, ignored (of an unknown type, kept too), "
    "unsigned, malformed, unavailable (not acknowledged)",
    ["outcome"],
)
for _outcome in OUTCOMES:
    _WEBHOOKS.labels(_outcome)


def payment_route(settings: Settings) -> WebhookRoute | None:
    """None where no secret is set: anybody could sign what it takes."""
    chosen = settings.payments
    if not chosen.webhook_secret:
        return None
    reader: WebhookReader = SandboxWebhooks(chosen.webhook_secret, chosen.webhook_max_age)

    def read(headers: Mapping[str, str], body: bytes, now: float) -> Told:
        event = reader.read(headers, body, now)
        fields = {
            "charge_id": event.charge_id,
            "refund_id": event.refund_id,
            "currency": event.currency,
            "amount": event.amount,
            "charged": event.charged,
            "reason": event.reason,
        }
        return Told(event.id, event.kind, event.reference, event.kind in KINDS, fields)

    return WebhookRoute("payment", PATH, "TakePaymentWebhook", "payments", "provider-results", _WEBHOOKS, read)
