"""From an event of the log to what is published of it, in its envelope: pure, so the same whenever it is done again."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
from msgspec import UNSET, Raw, Struct

from domain.model.publication import IntegrationEvent, Publication
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import decode_metadata
from infrastructure.event_store import StoredEvent
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.name_based_ids import uuid5_text

_IDS = uuid.UUID("0c7b0c53-5b8e-5a55-9d0e-1f6b6a2f3d10")
_encode = msgspec.json.Encoder().encode


def source_of(context: str) -> str:
    """Who publishes it, as a URI."""
    return f"urn:eventfold:{context}"


def type_of(publication: Publication, kind: IntegrationEvent) -> str:
    """The published type with its version, unique among all contexts."""
    return f"{publication.context}.{kind.name}.v{kind.version}"


def schema_of(cloud_type: str) -> str:
    """The URI of a type's schema, by which the catalogue knows it."""
    return f"urn:eventfold:schema:{cloud_type}"


class _Published(Struct, frozen=True):
    """A publication, and what the envelopes of all its events have alike: its source, and of each struct the type and
    the schema."""

    publication: Publication
    source: str
    types: Mapping[type[Struct], tuple[str, str]]

    @classmethod
    def of(cls, publication: Publication) -> Self:
        types = {kind.struct: type_of(publication, kind) for kind in publication.events}
        named = {struct: (cloud_type, schema_of(cloud_type)) for struct, cloud_type in types.items()}
        return cls(publication, source_of(publication.context), named)


class Publisher:
    """Of all contexts' publications. Raises ValueError when two of them speak of the same domain event."""

    def __init__(self, publications: Iterable[Publication]) -> None:
        self._by_event: dict[type[Struct], _Published] = {}
        self._made_from: dict[str, list[type[Struct]]] = {}
        for publication in publications:
            published = _Published.of(publication)
            for event in publication.mapping:
                if event in self._by_event:
                    raise ValueError(f"two publications speak of {event.__name__}")
                self._by_event[event] = published
            for example in publication.examples:
                for kind, _ in publication.publish(example):
                    self._made_from.setdefault(type_of(publication, kind), []).append(type(example))

    @property
    def types(self) -> Sequence[str]:
        """Every published type."""
        return list(self._made_from)

    def made_into(self, wanted: Callable[[str], bool]) -> frozenset[type[Struct]]:
        """The domain events of which something is published as one of the types wanted."""
        return frozenset(
            event for cloud_type, events in self._made_from.items() if wanted(cloud_type) for event in events
        )

    def subject(self, event: Any) -> str:
        """The aggregate of a domain event of which something is published."""
        return self._by_event[type(event)].publication.subject(event)

    def publish(self, stored: StoredEvent, recorded: RecordedEvent[Any]) -> list[CloudEvent]:
        """What is published of an event, in the order in which it goes out. Raises UndecodableEvent for metadata that
        can't be read."""
        published = self._by_event.get(type(recorded.event))
        if published is None:
            return []
        metadata = decode_metadata(stored)
        subject = published.publication.subject(recorded.event)
        at = datetime.fromtimestamp(stored.recorded_at / 1000, UTC)
        envelopes = []
        for _, made in published.publication.publish(recorded.event):
            cloud_type, schema = published.types[type(made)]
            envelopes.append(
                CloudEvent(
                    id=uuid5_text(_IDS, f"{stored.id}|{cloud_type}"),
                    source=published.source,
                    type=cloud_type,
                    subject=subject,
                    time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    dataschema=schema,
                    partitionkey=subject,
                    sequence=f"{stored.position:020}",
                    correlationid=metadata.correlation_id or UNSET,
                    causationid=metadata.causation_id or UNSET,
                    traceparent=metadata.traceparent or UNSET,
                    tracestate=metadata.tracestate or UNSET,
                    data=Raw(_encode(made)),
                )
            )
        return envelopes
