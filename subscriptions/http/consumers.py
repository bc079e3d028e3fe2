"""Consumers over HTTP: how far each is, how far behind, who runs it."""

from collections.abc import Sequence
from typing import Any

from litestar import get, post
from msgspec import Struct

from infrastructure.checkpoints import Target
from infrastructure.http.openapi import BODY, documented, json_body
from infrastructure.http.problems import Problem
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from subscriptions.http.problems import as_problems
from subscriptions.http.responses import Consumers, ConsumerStatus, EventStoreStatus
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.resetting import Beginning, Resetting
from subscriptions.operating.status import StatusReader, StatusSnapshot

_TAGS = ["consumers"]
_UNKNOWN = {404: "There is no such consumer"}
_AWAY = {503: "A store can't be reached"}


class Reset(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the consumer begins: at the log's `start`, after the last event that this log and the one of its
    checkpoints have in `common`, or at the log's `end`."""

    beginning: Beginning = "common"


def consumer_routes(
    reader: StatusReader, catalogue: PlainCatalogue, resetting: Resetting, *, paths: Sequence[str] = ("/consumers",)
) -> list[Any]:
    """The routes over one process; they show every plain consumer, also those that other processes run. `paths` are
    those of the list."""

    async def statuses() -> Consumers:
        targets = await plain_targets(catalogue)
        snapshot = await reader.snapshot(targets, targets)
        return Consumers(
            EventStoreStatus(snapshot.end, snapshot.reachable),
            snapshot.instances(),
            [consumer_status(snapshot, target) for target in targets],
        )

    @get(list(paths), summary="Every consumer: how far, how far behind, who runs it", tags=_TAGS, **documented({}))
    async def consumers() -> Consumers:
        return await statuses()

    @get(
        "/consumers/{name:str}",
        summary="One consumer",
        tags=_TAGS,
        **documented(_UNKNOWN),
    )
    async def consumer(name: str) -> ConsumerStatus:
        return await one(name)

    @post(
        "/consumers/{name:str}/reset",
        summary="Let a consumer begin anew",
        tags=_TAGS,
        status_code=202,
        **documented(BODY | _UNKNOWN | _AWAY, body=json_body(Reset, required=True)),
    )
    async def reset(name: str, data: Reset) -> ConsumerStatus:
        with as_problems():
            await resetting.reset(name, data.beginning)
        return await one(name)

    async def one(name: str) -> ConsumerStatus:
        found = {one.name: one for one in (await statuses()).consumers}
        if name not in found:
            detail = f"there is no consumer {name[:100]!r}; there are {', '.join(sorted(found)) or 'none yet'}"
            raise Problem(404, "not-found", "Not found", detail)
        return found[name]

    return [consumers, consumer, reset]


async def plain_targets(catalogue: PlainCatalogue) -> list[Target]:
    """What every plain consumer brings up to date; none while the read store is away."""
    try:
        return [targets.served for targets in (await catalogue.load()).values()]
    except (ReadStoreUnavailable, ReadStoreRefused):
        return []


def consumer_status(snapshot: StatusSnapshot, target: Target) -> ConsumerStatus:
    """The status of one consumer as it is shown."""
    state, trouble = snapshot.state(target)
    # On another log nobody can say how far behind it is.
    lag = None if state == "other_log" else snapshot.lag(target)
    return ConsumerStatus(
        name=target.consumer,
        version=target.version,
        position=snapshot.position(target),
        lag_positions=None if lag is None else lag.positions,
        lag_events=None if lag is None else lag.events,
        lag_exact=lag is not None and lag.exact,
        lag_seconds=None if lag is None else lag.seconds,
        parked=snapshot.parked.get(target.consumer, 0),
        state=state,
        trouble=trouble,
        partitions=snapshot.partitions(target),
    )
