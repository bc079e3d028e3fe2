"""Every service, in the order in which they are made: who is called first, then who calls."""

from typing import Any

from litestar import Litestar
from msgspec.structs import replace

from command_api.app import command_api
from event_relay.service import create_event_relay
from inbound.service import create_inbound
from infrastructure.application import Application
from infrastructure.outside.calls import Calls
from infrastructure.outside.in_process import InProcess
from infrastructure.settings import Settings
from monolith.part import Service
from payment_webhooks.app import payment_webhooks
from process_manager.service import create_process_manager
from projector.service import create_projector
from query_api.app import query_api
from signing_page.app import signing_page
from subscriptions.service import create_consumers


def _commands_in_process(calls: Calls, app: Litestar) -> Calls:
    return replace(calls, commands=InProcess(_asgi(app)))


def _queries_in_process(calls: Calls, app: Litestar) -> Calls:
    return replace(calls, queries=InProcess(_asgi(app)))


def _asgi(app: Litestar) -> Any:
    return app


def _takes_messages(application: Application, settings: Settings) -> bool:
    return bool(application.inbound and settings.inbound.sources)


def _takes_webhooks(_application: Application, settings: Settings) -> bool:
    return bool(settings.payments.webhook_secret or settings.signatures.webhook_secret)


CALLED: tuple[Service, ...] = (
    Service(
        "command-api",
        lambda application, settings, _calls: command_api(application, settings),
        at_root=True,
        reached=_commands_in_process,
    ),
    Service(
        "query-api",
        lambda application, settings, _calls: query_api(application, settings),
        at_root=True,
        reached=_queries_in_process,
    ),
)
"""These end last: whoever calls them has ended then."""

CALLING: tuple[Service, ...] = (
    Service("projector", lambda application, settings, _calls: create_projector(application, settings)),
    Service("consumers", create_consumers, wanted=lambda application, _settings: bool(application.consumers)),
    Service(
        "process-manager", create_process_manager, wanted=lambda application, _settings: bool(application.processes)
    ),
    Service(
        "event-relay",
        lambda application, settings, _calls: create_event_relay(application, settings),
        at_root=True,
        wanted=lambda application, _settings: bool(application.publications),
    ),
    Service("inbound", create_inbound, wanted=_takes_messages),
    Service(
        "payment-webhooks",
        lambda _application, settings, calls: payment_webhooks(settings, calls),
        at_root=True,
        wanted=_takes_webhooks,
    ),
    Service(
        "signing-page",
        lambda _application, settings, calls: signing_page(settings, calls),
        at_root=True,
        wanted=lambda _application, settings: bool(settings.documents.link_key_file),
    ),
)

Stages = tuple[tuple[Service, ...], ...]

STAGES: Stages = (CALLED, CALLING)
