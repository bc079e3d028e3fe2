"""Every service's application, built as it is started and connected to nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path

from litestar import Litestar

from application import APPLICATION
from command_api.app import command_api
from event_relay.service import create_event_relay
from inbound.service import create_inbound
from infrastructure.application import Application
from infrastructure.settings import Settings
from payment_webhooks.app import payment_webhooks
from process_manager.service import create_process_manager
from projector.service import create_projector
from query_api.app import query_api
from signing_page.app import signing_page
from subscriptions.service import create_consumers
from tests.support.in_process import open_settings

CREATE: Mapping[str, Callable[[Application, Settings], Litestar]] = {
    "command API": command_api,
    "query API": query_api,
    "projector": create_projector,
    "consumers": create_consumers,
    "process manager": create_process_manager,
    "event relay": create_event_relay,
    "inbound service": create_inbound,
    "payment webhooks": lambda _application, settings: payment_webhooks(settings),
    "signing page": lambda _application, settings: signing_page(settings),
}
DESTINATIONS = Path(__file__).parents[1] / "support/destinations/destinations.toml"
SOURCES = Path(__file__).parents[1] / "support/sources/sources.toml"
LINK_KEYS = Path(__file__).parents[1] / "support/link-keys.json"
SETTINGS = open_settings(
    payments_webhook_secret="a-secret-of-the-tests",
    signature_provider="sandbox",
    signature_ca_file="ca.pem",
    signature_webhook_secret="a-secret-of-the-tests",
    relay_destinations=str(DESTINATIONS),
    inbound_sources=str(SOURCES),
    document_link_key_file=str(LINK_KEYS),
)


def every_service() -> dict[str, Litestar]:
    """Each service's application by its name. It must be called in a running event loop."""
    return {name: create(APPLICATION, SETTINGS) for name, create in CREATE.items()}
