"""The payment webhooks as an application."""

from litestar import Litestar

from infrastructure.http.health import outside
from infrastructure.http.service import closing, create_app
from infrastructure.outside.commands import CommandClient
from infrastructure.outside.payments.sandbox_webhooks import KINDS, SandboxWebhooks
from infrastructure.settings import InvalidSettings, Settings
from payment_webhooks.endpoint import PATH, webhook_route


def payment_webhooks(settings: Settings) -> Litestar:
    """Raises InvalidSettings when there is no webhook secret: anybody could sign what it takes."""
    payments = settings.payments
    if not payments.webhook_secret:
        raise InvalidSettings("EVENTFOLD_PAYMENTS_WEBHOOK_SECRET is not set: the secret that webhooks are signed with")
    reader = SandboxWebhooks(payments.webhook_secret, payments.webhook_max_age)
    commands = CommandClient.from_settings(settings, "payment-webhooks")
    return create_app(
        "Eventfold payment webhooks",
        [webhook_route(reader, commands, _known)],
        outside([commands.policy], required=True),
        settings,
        lifespan=[closing(commands.close)],
        open_paths=[PATH],  # the provider proves himself by his signature
    )


def _known(kind: str) -> bool:
    return kind in KINDS
