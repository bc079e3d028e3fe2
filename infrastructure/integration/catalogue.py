"""Every event there is: who writes it, who follows it, what it looks like. Made from the application alone."""

import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Raw, Struct

from domain.model.event_types import EventType
from domain.model.inbound import InboundContract, every_command
from domain.model.process_events import PROCESS_EVENTS
from domain.model.publication import Publication
from infrastructure.application import Application, ConsumerFactory
from infrastructure.integration.cloud_event import JSON, CloudEvent, structured
from infrastructure.integration.publisher import schema_of, source_of, type_of
from infrastructure.integration.schemas import json_schema

_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_ID = "00000000-0000-5000-8000-000000000000"

Kind = Literal["domain", "integration", "inbound"]


class CatalogueEntry(Struct, frozen=True):
    """One event in one version, or one message that is taken from another system. `producer` is an aggregate or
    process, the context that publishes it, or the other system; `consumers` are those of this application: of a
    message, the commands that it becomes; `made_from` are the domain events of an integration event. `example` is its
    data."""

    kind: Kind
    name: str
    version: int
    producer: str
    summary: str
    consumers: tuple[str, ...]
    made_from: tuple[str, ...]
    schema: Mapping[str, Any]
    example: Raw

    @property
    def key(self) -> str:
        """What it is called in the catalogue: `OrderCreated.v2`, `ordering.order-placed.v1`."""
        return f"{self.name}.v{self.version}"


def catalogue(application: Application) -> list[CatalogueEntry]:
    """The newest version of every domain event, then every published event, then every message that is taken, each by
    producer in the order in which the application has them."""
    followers = _followers(application)
    given = {type(example): example for one in application.publications for example in one.examples}
    producers = [
        *((one.category, one.events) for one in application.aggregates),
        *((one.name, one.events) for one in application.processes),
        *([("every process", PROCESS_EVENTS)] if application.processes else ()),
    ]
    names = {event.struct: event.name for _, events in producers for event in events}
    domain = [
        _domain_entry(producer, event, followers.get(event.struct, ()), given.get(event.struct))
        for producer, events in producers
        for event in events
    ]
    published = [entry for one in application.publications for entry in _published(one, names)]
    return domain + published + [entry for one in application.inbound for entry in _taken(one)]


def _domain_entry(producer: str, event: EventType, followers: tuple[str, ...], given: Struct | None) -> CatalogueEntry:
    return CatalogueEntry(
        kind="domain",
        name=event.name,
        version=event.version,
        producer=producer,
        summary=_summary(event.struct),
        consumers=followers,
        made_from=(),
        schema=json_schema(event.struct),
        example=Raw(msgspec.json.encode(sample(event.struct) if given is None else given)),
    )


def _published(publication: Publication, names: Mapping[type[Struct], str]) -> list[CatalogueEntry]:
    sources: dict[str, list[str]] = {}
    examples: dict[str, Struct] = {}
    for example in publication.examples:
        for kind, made in publication.publish(example):
            cloud_type = type_of(publication, kind)
            sources.setdefault(cloud_type, []).append(names[type(example)])
            examples.setdefault(cloud_type, made)
    return [
        CatalogueEntry(
            kind="integration",
            name=f"{publication.context}.{kind.name}",
            version=kind.version,
            producer=publication.context,
            summary=_summary(kind.struct),
            consumers=(),
            made_from=tuple(sources[type_of(publication, kind)]),
            schema=json_schema(kind.struct),
            example=Raw(msgspec.json.encode(examples[type_of(publication, kind)])),
        )
        for kind in publication.events
    ]


def _taken(contract: InboundContract) -> list[CatalogueEntry]:
    return [
        CatalogueEntry(
            kind="inbound",
            name=f"{contract.system}.{one.name}",
            version=one.version,
            producer=contract.system,
            summary=_summary(one.struct),
            consumers=tuple(
                dict.fromkeys(
                    f"command {type(command.command).__name__}" for command in every_command(one.commands(one.example))
                )
            ),
            made_from=(),
            schema=json_schema(one.struct),
            example=Raw(msgspec.json.encode(one.example)),
        )
        for one in contract.messages
    ]


def received_example(entry: CatalogueEntry) -> bytes:
    """A message's example in its envelope, as another system may send it."""
    data = msgspec.json.decode(entry.example)
    subject = str(next(iter(data.values())))
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": _ID,
            "source": f"urn:{entry.producer}",
            "type": entry.key,
            "subject": subject,
            "time": _AT.isoformat().replace("+00:00", "Z"),
            "datacontenttype": JSON,
            "partitionkey": subject,
            "data": data,
        }
    )


def envelope_example(entry: CatalogueEntry) -> bytes:
    """A published event's example in its envelope, as one JSON document."""
    data = msgspec.json.decode(entry.example)
    subject = str(next(iter(data.values())))
    event = CloudEvent(
        id=_ID,
        source=source_of(entry.producer),
        type=entry.key,
        subject=subject,
        time=_AT.isoformat().replace("+00:00", "Z"),
        dataschema=schema_of(entry.key),
        partitionkey=subject,
        sequence=f"{0:020}",
        data=entry.example,
    )
    return structured(event)


def sample(struct: type[Struct]) -> Struct:
    """An event with plain values, where nobody has given a better one."""
    hints = typing.get_type_hints(struct)
    return struct(**{one.name: _value(hints[one.name], one.name) for one in msgspec.structs.fields(struct)})


def _value(hint: Any, name: str) -> Any:
    if hint is str:
        return name
    if hint in (int, float, bool):
        return hint(1)
    if hint is datetime:
        return _AT
    if isinstance(hint, type) and issubclass(hint, Struct):
        return sample(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _value(of[0], name)
    if origin is Literal:
        return of[0]
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in of else _value(of[0], name)
    if origin in (list, tuple, frozenset, set):
        return origin([_value(of[0], name)])
    return {}


def _followers(application: Application) -> dict[type[Struct], tuple[str, ...]]:
    """Who in the application follows each domain event."""
    follow: list[tuple[str, Any]] = [(f"view {one.name}", one.events) for one in application.views]
    follow += [(f"process {one.name}", {*one.starts, *one.reacts}) for one in application.processes]
    follow += [(f"consumer {one.name}", one.events) for one in map(_consumer, application.consumers) if one]
    follow += [(f"publication {one.context}", one.mapping) for one in application.publications]
    found: dict[type[Struct], tuple[str, ...]] = {}
    for who, events in follow:
        for event in events:
            found[event] = (*found.get(event, ()), who)
    return found


def _consumer(factory: ConsumerFactory) -> Any:
    """The class of what a factory makes, as its annotation says: it has the name and the events. A factory without an
    annotation makes something that the catalogue can't know."""
    return typing.get_type_hints(factory).get("return")


def _summary(struct: type[Struct]) -> str:
    return " ".join((struct.__doc__ or "").split())
