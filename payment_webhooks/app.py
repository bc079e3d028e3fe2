"""The webhooks of outside providers as an application."""

from litestar import Litestar

from infrastructure.http.health import outside
from infrastructure.http.service import closing, create_app
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.commands import CommandClient
from infrastructure.settings import InvalidSettings, Settings
from payment_webhooks.endpoint import webhook_route
from payment_webhooks.payments import payment_route
from payment_webhooks.signatures import signature_route


def payment_webhooks(settings: Settings, calls: Calls = OVER_NETWORK) -> Litestar:
    """Takes the webhooks of each provider that a secret is set for. Raises InvalidSettings when there is none, and
    when there is a signing provider without a secret."""
    routes = [one for one in (payment_route(settings), signature_route(settings)) if one is not None]
    if settings.signatures.provider != "none" and not settings.signatures.webhook_secret:
        raise InvalidSettings("EVENTFOLD_SIGNATURE_WEBHOOK_SECRET is not set: the secret that webhooks are signed with")
    if not routes:
        raise InvalidSettings("EVENTFOLD_PAYMENTS_WEBHOOK_SECRET is not set: the secret that webhooks are signed with")
    commands = CommandClient.from_settings(settings, "payment-webhooks", calls=calls)
    return create_app(
        "Eventfold webhooks",
        [webhook_route(one, commands) for one in routes],
        outside([commands.policy], required=True),
        settings,
        lifespan=[closing(commands.close)],
        open_paths=[one.path for one in routes],  # a provider proves itself by its signature
    )
