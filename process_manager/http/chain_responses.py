"""The responses about chains over HTTP. Times are RFC 3339, but for `recorded_at`: epoch milliseconds."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.choreography import Choreography
from process_manager.choreographies.chains import Link, ReadChain


class Choreographies(Struct, frozen=True):
    """The names of all."""

    choreographies: list[str]


class ChainEvent(Struct, frozen=True):
    """One event. `number` counts from 0 within the chain, `cause` is the number of the event that it follows from, None
    where no event of the chain is: somebody's own doing, or where the chain was entered. `facts` is what it says, with
    nothing personal. `error` is why it can't be read."""

    number: int
    cause: int | None
    type: str
    stream: str
    revision: int
    position: int
    recorded_at: int
    event_id: str
    actor: str | None
    sent_by: str | None
    correlation_id: str | None
    causation_id: str | None
    facts: dict[str, Any]
    error: str | None


class AwaitedStep(Struct, frozen=True):
    """`what` is to come after the event number `after`, from `by`, at the latest at `until`."""

    what: str
    by: str
    after: int
    until: datetime | None


class ChainDetails(Struct, frozen=True):
    """All of a chain. Its steps have the `correlation_id`; what others have done in between has one of its own.
    `incomplete` are the streams with more events than are shown, `deleted` those that were deleted."""

    choreography: str
    instance: str
    correlation_id: str
    events: list[ChainEvent]
    awaited: list[AwaitedStep]
    incomplete: list[str]
    deleted: list[str]


def chain_details(choreography: Choreography, instance: str, found: ReadChain) -> ChainDetails:
    return ChainDetails(
        choreography=choreography.name,
        instance=instance,
        correlation_id=choreography.correlation(instance),
        events=[
            _event(choreography, number, cause, link)
            for number, (cause, link) in enumerate(zip(found.chain.causes, found.links, strict=True))
        ],
        awaited=[AwaitedStep(one.what, one.by, one.after, one.until) for one in found.awaited],
        incomplete=list(found.incomplete),
        deleted=list(found.deleted),
    )


def _event(choreography: Choreography, number: int, cause: int | None, link: Link) -> ChainEvent:
    stored, metadata = link.stored, link.metadata
    said = {} if link.event is None else msgspec.to_builtins(link.event)
    return ChainEvent(
        number=number,
        cause=cause,
        type=stored.type,
        stream=stored.stream,
        revision=stored.revision,
        position=stored.position,
        recorded_at=stored.recorded_at,
        event_id=stored.id,
        actor=metadata.actor,
        sent_by=metadata.sent_by,
        correlation_id=metadata.correlation_id,
        causation_id=metadata.causation_id,
        facts={name: said[name] for name in choreography.shown if name in said},
        error=link.error or None,
    )
