"""The inbound service: its sources, its stores, its operators' HTTP."""

from pathlib import Path

from litestar import Litestar

from inbound import metrics
from inbound.carrying_out import CarryingOut
from inbound.dead_letters import DeadLetterStore
from inbound.desk import InboundDesk
from inbound.gates import Gates
from inbound.handling import Handler
from inbound.http.dead_letters import dead_letter_routes
from inbound.http.sources import source_routes
from inbound.inbox import Inbox
from inbound.reading import Reader, known_messages
from inbound.retrying import SourceParts
from inbound.running import Looking, RunningSource, consuming
from inbound.sources import read_sources
from inbound.wires import dead_letter_writer, message_source
from infrastructure.application import Application
from infrastructure.event_store import EventStore
from infrastructure.http.health import Dependency, outside
from infrastructure.http.repeating import repeating
from infrastructure.http.service import create_app
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.command_routes import CommandRoutes
from infrastructure.outside.commands import CommandClient
from infrastructure.read_store import ReadStore
from infrastructure.security.own_tokens import service_tokens
from infrastructure.settings import InvalidSettings, Settings
from subscriptions.operating.group_watch import GroupWatch

SERVICE = "inbound"


def create_inbound(application: Application, settings: Settings, calls: Calls = OVER_NETWORK) -> Litestar:
    """The service: any number of its processes share the sources. Raises InvalidSettings."""
    if not settings.inbound.sources:
        raise InvalidSettings("there is nothing to take messages from: EVENTFOLD_INBOUND_SOURCES names no file")
    path = Path(settings.inbound.sources)
    sources = read_sources(path, list(known_messages(application.inbound)))
    http = calls.to_commands(settings)
    tokens, routes_of = service_tokens(settings, SERVICE, role=SERVICE), CommandRoutes(application.aggregates)
    event_store, read_store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    inbox, gates, dead_letters = Inbox(read_store), Gates(read_store), DeadLetterStore(read_store)
    grace, running, parts, writers = settings.http.shutdown_grace, [], [], []
    for source in sources:
        reader = Reader(source, application.inbound)
        commands = CarryingOut(CommandClient(http, source.name, tokens), routes_of, inbox)
        writer = dead_letter_writer(source, path.parent)
        handler = Handler(source, reader, inbox, gates, dead_letters, commands, writer)
        running.append(RunningSource(source, handler, message_source(source, path.parent, handler, grace)))
        parts.append(SourceParts(source, reader, commands))
        writers.append(writer)
    metrics.show_sources(one.consumer for one in sources)
    closers = [*(one.close for one in writers), http.close, event_store.close, read_store.close]
    lifespan, prepared = consuming(running, inbox, gates, dead_letters, grace, *closers)
    desk = InboundDesk(parts, inbox, gates, dead_letters, event_store)
    looking = Looking(running, inbox, dead_letters)
    groups = GroupWatch([one.consumer for one in sources], desk.groups, metrics.OPEN_IN_GROUP)
    return create_app(
        "Eventfold inbound",
        [*source_routes(running, desk.letters, dead_letters), *dead_letter_routes(desk)],
        {
            "read_store": Dependency(read_store.ping, lambda: read_store.circuit),
            # Messages need it behind the command API alone: here it is for who retries and discards dead letters.
            "event_store": Dependency(event_store.ping, lambda: event_store.circuit, required=False),
            "records": Dependency(prepared),
            **outside([http.policy, *(one.policy for one in writers)]),
            **{one.source.consumer: one.dependency() for one in running},
        },
        settings,
        lifespan=[
            lifespan,
            repeating(looking.look, settings.telemetry.metrics_interval),
            repeating(groups.look, settings.telemetry.metrics_interval),
        ],
    )
