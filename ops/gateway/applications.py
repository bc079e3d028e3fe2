"""The applications of the services that clients may reach, built to read their routes: they connect to nothing."""

from collections.abc import Callable, Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from litestar import Litestar
from msgspec.structs import replace

from command_api.app import command_api
from event_relay.service import create_event_relay
from inbound.service import create_inbound
from infrastructure.application import Application
from infrastructure.security.link_keys import make_link_keys
from infrastructure.settings import Settings
from ops.locations import (
    COMMAND_API,
    CONSUMERS,
    EVENT_RELAY,
    INBOUND,
    PAYMENT_WEBHOOKS,
    PROCESS_MANAGER,
    PROJECTOR,
    QUERY_API,
    SIGNING_PAGE,
)
from payment_webhooks.app import payment_webhooks
from process_manager.service import create_process_manager
from projector.service import create_projector
from query_api.app import query_api
from signing_page.app import signing_page
from subscriptions.service import create_consumers

_SOURCES = """[[sources]]
name = "any"
kind = "rabbitmq"
url = "amqp://nobody@127.0.0.1:9/"
queue = "none"
types = ["*"]
dead_letters = "none.dead-letters"
"""
_CREATE: dict[str, Callable[[Application, Settings], Litestar]] = {
    COMMAND_API: command_api,
    QUERY_API: query_api,
    EVENT_RELAY: create_event_relay,
    PAYMENT_WEBHOOKS: lambda _application, settings: payment_webhooks(settings),
    SIGNING_PAGE: lambda _application, settings: signing_page(settings),
    PROJECTOR: create_projector,
    # Their routes are the same whatever consumers there are, and these read the environment's settings.
    CONSUMERS: lambda application, settings: create_consumers(replace(application, consumers=()), settings),
    PROCESS_MANAGER: create_process_manager,
    INBOUND: create_inbound,
}
EVERY_SERVICE = tuple(_CREATE)


def applications(application: Application, names: Collection[str] = EVERY_SERVICE) -> dict[str, Litestar]:
    """The application of each service named. It must be called in a running event loop."""
    with TemporaryDirectory() as folder:
        link_keys, sources = Path(folder) / "link-keys.json", Path(folder) / "sources.toml"
        make_link_keys(link_keys)
        sources.write_text(_SOURCES)
        # What each needs for all of its routes to be there; none of it is used.
        settings = Settings.of(
            auth="off",
            payments_webhook_secret="x" * 32,
            signature_provider="sandbox",
            signature_ca_file="ca.pem",
            signature_webhook_secret="x" * 32,
            document_link_key_file=str(link_keys),
            inbound_sources=str(sources),
        )
        return {name: create(application, settings) for name, create in _CREATE.items() if name in names}
