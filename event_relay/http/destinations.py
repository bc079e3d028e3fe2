"""The destinations: how far each is, pause, resume, replay; and those that are no longer configured."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import structlog
from litestar import delete, get, post
from msgspec import Meta, Struct

from domain.model.access import Access
from event_relay.destinations import CONSUMER_PREFIX, Destination
from event_relay.former import FormerDestinations, StillPublishedTo
from event_relay.pauses import Pauses
from infrastructure.http.openapi import BODY, documented, json_body
from infrastructure.http.problems import Problem
from subscriptions.http.consumers import consumer_status, plain_targets
from subscriptions.http.problems import as_problems
from subscriptions.http.responses import ConsumerStatus
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.resetting import NoSuchPosition, Resetting
from subscriptions.operating.status import StatusReader

log = structlog.get_logger(__name__)

_NO_POSITION = {409: "The log has no event at or before that position"}
_TAGS = ["destinations"]
_READ = Access("consumers:read", shared=True)
_OPERATE = Access("consumers:operate", shared=True)
_UNKNOWN = {404: "There is no such destination"}
_IN_USE = {409: "A process that is alive publishes to it"}
_AWAY = {503: "A store can't be reached"}


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the destination begins anew: at the `start` of the log, or after a position."""

    beginning: Literal["start"] | Annotated[int, Meta(ge=0)]


class DestinationStatus(Struct, frozen=True):
    """A destination; `consumer` is null until it has begun. One that is not `configured` was in the file before: its
    kind and types are not known any more."""

    name: str
    kind: str | None
    types: list[str]
    paused: bool
    consumer: ConsumerStatus | None
    configured: bool = True


class Destinations(Struct, frozen=True):
    """Every destination of this process, and those of which something is kept though they are no longer configured."""

    destinations: list[DestinationStatus]


def destination_routes(
    destinations: Sequence[Destination],
    reader: StatusReader,
    catalogue: PlainCatalogue,
    former: FormerDestinations,
    pauses: Pauses,
    resetting: Resetting,
    changed: asyncio.Event,
) -> list[Any]:
    """The routes; `changed` is set when something is for the relay to see at once."""
    known = {one.name: one for one in destinations}

    async def statuses() -> list[DestinationStatus]:
        with as_problems():
            left = await former.load()
            consumers = [*(one.consumer for one in destinations), *left]
            paused = await pauses.of(consumers)
        targets = {one.consumer: one for one in await plain_targets(catalogue)}
        ours = [targets[one] for one in consumers if one in targets]
        snapshot = await reader.snapshot(ours, ours)
        found = {one.consumer: consumer_status(snapshot, one) for one in ours}
        return [
            *(
                DestinationStatus(one.name, one.kind, list(one.types), one.consumer in paused, found.get(one.consumer))
                for one in destinations
            ),
            *(
                DestinationStatus(
                    one.removeprefix(CONSUMER_PREFIX), None, [], one in paused, found.get(one), configured=False
                )
                for one in left
            ),
        ]

    def found(name: str) -> Destination:
        if name not in known:
            detail = f"there is no destination {name[:100]!r}; there are {', '.join(known) or 'none'}"
            raise Problem(404, "not-found", "Not found", detail)
        return known[name]

    async def one_of(name: str) -> DestinationStatus:
        return next(one for one in await statuses() if one.name == name)

    async def set_pause(name: str, paused: bool) -> DestinationStatus:
        destination = found(name)
        with as_problems():
            await pauses.set(destination.consumer, paused)
        changed.set()
        log.info("a destination was paused or resumed", consumer=destination.consumer, paused=paused)
        return await one_of(name)

    @get(
        "/destinations",
        summary="Every destination: what goes there, how far it is, whether it is paused",
        tags=_TAGS,
        **documented(_AWAY, access=_READ),
    )
    async def list_destinations() -> Destinations:
        return Destinations(await statuses())

    @post(
        "/destinations/{name:str}/pause",
        summary="Let nothing go to a destination until it is resumed",
        tags=_TAGS,
        status_code=200,
        **documented(_UNKNOWN | _AWAY, access=_OPERATE),
    )
    async def pause(name: str) -> DestinationStatus:
        return await set_pause(name, True)

    @post(
        "/destinations/{name:str}/resume",
        summary="Let a destination go on where it was paused",
        tags=_TAGS,
        status_code=200,
        **documented(_UNKNOWN | _AWAY, access=_OPERATE),
    )
    async def resume(name: str) -> DestinationStatus:
        return await set_pause(name, False)

    @post(
        "/destinations/{name:str}/replay",
        summary="Publish to a destination again, from the log's start or after a position; its dead letters go",
        tags=_TAGS,
        status_code=202,
        **documented(BODY | _UNKNOWN | _AWAY | _NO_POSITION, body=json_body(Replay, required=True), access=_OPERATE),
    )
    async def replay(name: str, data: Replay) -> DestinationStatus:
        destination = found(name)
        try:
            with as_problems():
                await resetting.reset(destination.consumer, data.beginning)
        except NoSuchPosition as error:
            raise Problem(409, "no-such-position", "There is no such position", str(error)) from error
        log.info("a destination is published to again", consumer=destination.consumer, beginning=data.beginning)
        return await one_of(name)

    @delete(
        "/destinations/{name:str}",
        summary="Forget a destination that is no longer configured: its place in the log, its dead letters",
        tags=_TAGS,
        status_code=204,
        **documented(_UNKNOWN | _IN_USE | _AWAY, access=_OPERATE),
    )
    async def remove(name: str) -> None:
        consumer = f"{CONSUMER_PREFIX}{name}"
        try:
            with as_problems():
                removed = await former.remove(consumer)
        except StillPublishedTo as error:
            raise Problem(409, "destination-in-use", "The destination is in use", str(error)) from error
        if not removed:
            detail = f"nothing is kept of a destination {name[:100]!r}"
            raise Problem(404, "not-found", "Not found", detail)
        log.info("a destination that is no longer configured is forgotten", consumer=consumer)

    return [list_destinations, pause, resume, replay, remove]
