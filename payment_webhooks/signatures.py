"""What the signing provider tells."""

from collections.abc import Mapping

from prometheus_client import Counter

from infrastructure.outside.signatures import SignatureWebhookReader
from infrastructure.outside.signatures.sandbox_webhooks import KINDS, SandboxSignatureWebhooks
from infrastructure.settings import Settings
from payment_webhooks.endpoint import OUTCOMES, Told, WebhookRoute

PATH = "/signature-webhooks"

_WEBHOOKS = Counter(
    "eventfold_signature_webhooks",
    "Webhooks of the signing provider, by what became of them: kept, repeated, ignored (of an unknown type, kept too), "
    "unsigned, malformed, unavailable (not acknowledged)",
    ["outcome"],
)
for _outcome in OUTCOMES:
    _WEBHOOKS.labels(_outcome)


def signature_route(settings: Settings) -> WebhookRoute | None:
    """None where customers sign here, or no secret is set: anybody could sign what it takes."""
    chosen = settings.signatures
    if chosen.provider == "none" or not chosen.webhook_secret:
        return None
    reader: SignatureWebhookReader = SandboxSignatureWebhooks(chosen.webhook_secret, chosen.webhook_max_age)

    def read(headers: Mapping[str, str], body: bytes, now: float) -> Told:
        told = reader.read(headers, body, now)
        return Told(told.id, told.kind, told.reference, told.kind in KINDS, {"request_id": told.request_id})

    return WebhookRoute("signing", PATH, "TakeSignatureWebhook", "documents", "signature-results", _WEBHOOKS, read)
