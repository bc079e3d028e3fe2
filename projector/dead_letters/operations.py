"""Retry and discard, as operators ask for them: put to whoever folds the documents, awaited, summed up."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.read_store import Comparison, Page, Scalar, Write
from infrastructure.view_registry import ViewRegistry
from projector.builds.shards import shards_of
from projector.dead_letters.discarded_events import COLLECTION as DISCARDED_EVENTS
from projector.dead_letters.discarded_events import DiscardedEvent, discarded_write, discards_of
from projector.dead_letters.parked_events import COLLECTION as PARKED_EVENTS
from projector.dead_letters.parked_events import ParkedEvent, readable
from projector.dead_letters.requests import ReplayAnswer, ReplayRequest, ReplayRequests
from projector.dead_letters.settling import parked_record, parked_records, settle
from projector.everything import everything
from projector.membership.leases import Holding, Leases
from projector.ports import DocumentStore

_BETWEEN_LOOKS = 0.05


class NoSuchDeadLetter(Exception):
    """There is nothing parked by that name."""


class NotAnswered(Exception):
    """The owner of a partition did not do its part in time; the request stands, and is done when it can be."""


class Outcome(Struct, frozen=True):
    """`replayed` events are folded now; `remaining` are still parked for the keys asked for, because of `errors`. An
    event that is parked for several builds of the view counts once, and as long as any of them has it parked."""

    replayed: int
    remaining: int
    errors: list[str]


class DeadLetterOperations:
    """`views` are those there are; `asked` is set for each request, for this process to see to it at once. `patience`
    is in seconds: how long the owners may take. Methods raise what the store raises."""

    def __init__(
        self,
        store: DocumentStore,
        registry: ViewRegistry,
        views: Sequence[str],
        asked: asyncio.Event,
        *,
        patience: float,
    ) -> None:
        self._store = store
        self._registry = registry
        self._requests = ReplayRequests(store)
        self._views = views
        self._leases = Leases(store)
        self._asked = asked
        self._patience = patience

    async def page(
        self, view: str | None, key: str | None, *, after: int, limit: int
    ) -> tuple[list[ParkedEvent], bool]:
        """At most about `limit` dead letters after a position (those at one position stay together), and whether there
        are more: those of the builds that are served or about to be, for the previous ones only repeat them."""
        given = (("view", view), ("key", key))
        where: dict[str, Scalar | Comparison] = {name: value for name, value in given if value is not None}
        where["collection"] = Comparison(one_of=tuple(await self._collections()))
        page: list[ParkedEvent] = []
        async for document in everything(self._store, PARKED_EVENTS, where, by="position", after=after):
            if len(page) >= limit and document["position"] > page[-1].position:
                return page, True
            page.append(parked_record(document))
        return page, False

    async def _collections(self) -> list[str]:
        records = (await self._registry.load(self._views)).values()
        return sorted(
            build.collection for record in records for build in (record.live, record.candidate) if build is not None
        )

    async def retry(self, view: str, key: str | None) -> Outcome:
        """Replays what is parked of a view for a document or a stream, or for all.

        Raises NoSuchDeadLetter, NotAnswered.
        """
        where: dict[str, Scalar | Comparison] = {"view": view} if key is None else {"view": view, "key": key}
        records = [parked_record(one) async for one in everything(self._store, PARKED_EVENTS, where, by="position")]
        if not records:
            raise NoSuchDeadLetter(f"nothing of {view} is parked" + (f" under {key}" if key else ""))
        return await self._replay(view, records)

    async def discard(self, view: str, position: int, reason: str) -> Outcome:
        """Leaves an event out of the documents that it is parked for (all of them, where its stream is parked), for
        good and in later builds too; and replays what stood behind it.

        Raises NoSuchDeadLetter, NotAnswered.
        """
        page = Page({"view": view, "position": position}, by="position", limit=1000)
        records = [parked_record(one.fields) for _, one in await self._store.page(PARKED_EVENTS, page) if one.fields]
        if not records:
            raise NoSuchDeadLetter(f"no event at {position} is parked for {view}")
        of_keys = {record.key: record for record in records}
        await self._store.write(DISCARDED_EVENTS, [_discarded(record, reason) for record in of_keys.values()])
        of_view = everything(self._store, PARKED_EVENTS, {"view": view}, by="position")
        return await self._replay(view, [one async for one in _records(of_view) if one.key in of_keys])

    async def _replay(self, view: str, records: Sequence[ParkedEvent]) -> Outcome:
        keys = {record.key for record in records}
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._replayed(view, records)
        except TimeoutError:
            raise NotAnswered(
                f"not every process that folds {view} has answered within {self._patience:g} s; "
                "the request stands, and a repeated one does no harm"
            ) from None
        built = {answer.collection for answer in answers}
        before = {(one.position, one.key) for one in records if one.collection in built}
        remaining = {
            (one.position, one.key)
            for collection in built
            for one in await parked_records(self._store, collection)
            if one.key in keys
        }
        return Outcome(len(before - remaining), len(remaining), sorted(set(_errors(answers))))

    async def _replayed(self, view: str, records: Sequence[ParkedEvent]) -> Sequence[ReplayAnswer]:
        """Asks for a replay and settles it; answers what the processes have answered.

        A process that takes a partition over in the middle of it may have read what was parked before it was settled,
        and take it for parked still. So where anything has changed hands, those who have it now are asked too.
        """
        while True:
            request = _request(view, records)
            hands = await self._hands(view)
            await self._requests.ask(request)
            self._asked.set()
            answers = await self._answered(request, {record.collection for record in records})
            await self._settle_streams(view, answers)
            await self._requests.withdraw(request.request)
            if await self._hands(view) == hands:
                return answers

    async def _hands(self, view: str) -> Mapping[str, Holding]:
        """Who folds which partition of the view's builds, under which epoch."""
        records = await self._registry.load([view])
        return await self._leases.load(shards_of(records.values()))

    async def _answered(self, request: ReplayRequest, collections: set[str]) -> Sequence[ReplayAnswer]:
        """What every process concerned has answered, for every build that has something parked."""
        while True:
            record = (await self._registry.load([request.view]))[request.view]
            wanted = {build.collection for build in record.builds} & collections
            answers = await self._requests.answers(request.request)
            done = {(one.collection, partition) for one in answers for partition in one.partitions}
            if all((one, partition) in done for one in wanted for partition in range(record.partitions)):
                return [answer for answer in answers if answer.collection in wanted]
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def _settle_streams(self, view: str, answers: Sequence[ReplayAnswer]) -> None:
        """Several processes fold a stream's events into documents of their own; what all have replayed is settled."""
        discards = await discards_of(self._store, view)
        streams = {(answer.collection, one.key) for answer in answers for one in answer.keys if one.kind == "stream"}
        for collection, stream in sorted(streams):
            told = [
                one
                for answer in answers
                if answer.collection == collection
                for one in answer.keys
                if (one.kind, one.key) == ("stream", stream)
            ]
            upto, error = min(((one.upto, one.error) for one in told if one.upto is not None), default=(None, None))
            if any(answer.fault for answer in answers if answer.collection == collection):
                continue
            records = await parked_records(self._store, collection, "stream", stream)
            await settle(self._store, records, discards, upto, error)


async def _records(documents: AsyncIterator[dict[str, Any]]) -> AsyncIterator[ParkedEvent]:
    async for document in documents:
        yield parked_record(document)


def _request(view: str, records: Sequence[ParkedEvent]) -> ReplayRequest:
    return ReplayRequest(
        secrets.token_hex(8),
        view,
        sorted({record.key for record in records if record.kind == "document"}),
        sorted({record.key for record in records if record.kind == "stream"}),
        time.time_ns() // 1_000_000,
    )


def _errors(answers: Sequence[ReplayAnswer]) -> Iterator[str]:
    for answer in answers:
        if answer.fault:
            yield f"{answer.collection}: {answer.fault}"
        for one in answer.keys:
            if one.error:
                yield f"{one.kind} {one.key} at {one.upto}: {one.error}"


def _discarded(record: ParkedEvent, reason: str) -> Write:
    event = DiscardedEvent(
        view=record.view,
        kind=record.kind,
        key=record.key,
        position=record.position,
        stream=record.stream,
        revision=record.revision,
        event_type=record.event_type,
        error=record.error,
        reason=readable(reason),
        discarded_at=time.time_ns() // 1_000_000,
    )
    return discarded_write(event, msgspec.to_builtins(event))
