"""Retry and discard for operators: requests to the processes that own the partitions, and their responses summed up."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from infrastructure.checkpoints import Target
from infrastructure.clock import now_millis
from infrastructure.read_store import Comparison, Page, Scalar, Write
from subscriptions.membership.leases import Leases, LeaseState
from subscriptions.operating.catalogue import Catalogue
from subscriptions.parking.discarded_events import COLLECTION as DISCARDED_EVENTS
from subscriptions.parking.discarded_events import DiscardedEvent, discarded_write, discards_of
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.parking.parked_events import ParkedEvent, readable
from subscriptions.parking.resolving import parked_record, parked_records, resolve
from subscriptions.ports import DocumentStore
from subscriptions.replaying.requests import ReplayRequest, ReplayRequests, ReplayResponse
from subscriptions.store.scan import scan_pages

_BETWEEN_CHECKS = 0.05


class NoSuchConsumer(Exception):
    """There is no consumer by that name; `existing` are the names of those there are."""

    def __init__(self, name: str, existing: Sequence[str]) -> None:
        super().__init__(f"there is no consumer {name!r}; there are {', '.join(existing)}")


class NoSuchDeadLetter(Exception):
    """There is nothing parked by that name."""


class ReplayTimeout(Exception):
    """The owner of a partition did not do its part in time; the request remains, and is done as soon as possible."""


class Outcome(Struct, frozen=True):
    """`replayed` events are handled now; `remaining` are still parked for the keys asked for, because of `errors`. An
    event that is parked for several targets of the consumer counts once, and as long as any of them has it parked."""

    replayed: int
    remaining: int
    errors: list[str]


class DeadLetterOperations:
    """`asked` is set for each request, so that this process handles it at once. `timeout` is in seconds: how long the
    owners may take. Methods raise what the store raises."""

    def __init__(self, store: DocumentStore, catalogue: Catalogue, asked: asyncio.Event, *, timeout: float) -> None:
        self._store = store
        self._catalogue = catalogue
        self._requests = ReplayRequests(store)
        self._leases = Leases(store)
        self._asked = asked
        self._timeout = timeout

    async def page(
        self, consumer: str | None, key: str | None, *, after: int, limit: int
    ) -> tuple[list[ParkedEvent], bool]:
        """At most about `limit` dead letters after a position (those at one position stay together), and whether there
        are more: those of the targets that are served or about to be, for the previous ones only repeat them."""
        given = (("consumer", consumer), ("key", key))
        where: dict[str, Scalar | Comparison] = {name: value for name, value in given if value is not None}
        shown = [target.name for one in (await self._catalogue.load()).values() for target in one.shown]
        where["target"] = Comparison(one_of=tuple(sorted(shown)))
        page: list[ParkedEvent] = []
        async for document in scan_pages(self._store, PARKED_EVENTS, where, by="position", after=after):
            if len(page) >= limit and document["position"] > page[-1].position:
                return page, True
            page.append(parked_record(document))
        return page, False

    async def one(self, consumer: str, position: int) -> ParkedEvent:
        """One dead letter. Raises NoSuchDeadLetter."""
        return (await self._at(consumer, position, limit=1))[0]

    async def retry(self, consumer: str, key: str | None) -> Outcome:
        """Replays what is parked of a consumer for a key or a stream, or for all.

        Raises NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout.
        """
        await self._check(consumer)
        where: dict[str, Scalar | Comparison] = (
            {"consumer": consumer}
            if key is None
            else {
                "consumer": consumer,
                "key": key,
            }
        )
        records = [parked_record(one) async for one in scan_pages(self._store, PARKED_EVENTS, where, by="position")]
        if not records:
            raise NoSuchDeadLetter(f"nothing of {consumer} is parked" + (f" under {key}" if key else ""))
        return await self._replay(consumer, records)

    async def discard(self, consumer: str, position: int, reason: str) -> Outcome:
        """Leaves an event out for the keys that it is parked for (all of them, where its stream is parked), for good
        and in later targets too; and replays what stood behind it.

        Raises NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout.
        """
        await self._check(consumer)
        of_keys = {record.key: record for record in await self._at(consumer, position, limit=1000)}
        await self._store.write(DISCARDED_EVENTS, [_discarded(record, reason) for record in of_keys.values()])
        found = scan_pages(self._store, PARKED_EVENTS, {"consumer": consumer}, by="position")
        records = [parked_record(document) async for document in found]
        return await self._replay(consumer, [one for one in records if one.key in of_keys])

    async def _check(self, consumer: str) -> None:
        # A process that has just started knows the names of its own consumers before it has read anything.
        if consumer not in self._catalogue.own:
            begun = await self._catalogue.load()
            if consumer not in begun:
                raise NoSuchConsumer(consumer, sorted({*self._catalogue.own, *begun}))

    async def _at(self, consumer: str, position: int, *, limit: int) -> list[ParkedEvent]:
        page = Page({"consumer": consumer, "position": position}, by="position", limit=limit)
        found = await self._store.page(PARKED_EVENTS, page)
        if not found:
            raise NoSuchDeadLetter(f"no event at {position} is parked for {consumer}")
        return [parked_record(one.fields) for _, one in found if one.fields is not None]

    async def _replay(self, consumer: str, records: Sequence[ParkedEvent]) -> Outcome:
        keys = {record.key for record in records}
        try:
            async with asyncio.timeout(self._timeout):
                responses = await self._replayed(consumer, records)
        except TimeoutError:
            raise ReplayTimeout(
                f"not every process that runs {consumer} has answered within {self._timeout:g} s; "
                "the request stands, and a repeated one does no harm"
            ) from None
        done = {response.target for response in responses}
        before = {(one.position, one.key) for one in records if one.target in done}
        remaining = {
            (one.position, one.key)
            for target in done
            for one in await parked_records(self._store, target)
            if one.key in keys
        }
        return Outcome(len(before - remaining), len(remaining), sorted(set(_errors(responses))))

    async def _replayed(self, consumer: str, records: Sequence[ParkedEvent]) -> Sequence[ReplayResponse]:
        """Asks for a replay and resolves it; returns the responses of the processes.

        A process that takes a partition over in the middle may have read what was parked before it was resolved, and
        treat it as parked still. So where any partition has changed its owner, the new owners are asked too.
        """
        while True:
            request = _request(consumer, records)
            owners = await self._owners(consumer)
            await self._requests.ask(request)
            self._asked.set()
            responses = await self._responses(request, {record.target for record in records})
            await self._resolve_streams(consumer, responses)
            await self._requests.withdraw(request.request)
            if await self._owners(consumer) == owners:
                return responses

    async def _targets(self, consumer: str) -> Sequence[Target]:
        found = (await self._catalogue.load([consumer])).get(consumer)
        return () if found is None else found.all

    async def _owners(self, consumer: str) -> Mapping[str, LeaseState]:
        """Who owns which partition of the consumer's targets, under which epoch."""
        return await self._leases.load([ref for target in await self._targets(consumer) for ref in target.refs])

    async def _responses(self, request: ReplayRequest, concerned: set[str]) -> Sequence[ReplayResponse]:
        """The responses of all processes concerned, for every target that has something parked."""
        while True:
            targets = [target for target in await self._targets(request.consumer) if target.name in concerned]
            responses = await self._requests.responses(request.request)
            done = {(one.target, partition) for one in responses for partition in one.partitions}
            if all((target.name, ref.partition) in done for target in targets for ref in target.refs):
                names = {target.name for target in targets}
                return [response for response in responses if response.target in names]
            await asyncio.sleep(_BETWEEN_CHECKS)

    async def _resolve_streams(self, consumer: str, responses: Sequence[ReplayResponse]) -> None:
        """The keys of a stream's events may belong to several processes; what all of them have replayed is resolved."""
        discards = await discards_of(self._store, consumer)
        streams = {
            (response.target, one.key) for response in responses for one in response.keys if one.kind == "stream"
        }
        for target, stream in sorted(streams):
            of_target = [response for response in responses if response.target == target]
            if any(response.fault for response in of_target):
                continue
            replayed = [
                one for response in of_target for one in response.keys if (one.kind, one.key) == ("stream", stream)
            ]
            upto, error = min(((one.upto, one.error) for one in replayed if one.upto is not None), default=(None, None))
            records = await parked_records(self._store, target, "stream", stream)
            await resolve(self._store, records, discards, upto, error)


def _request(consumer: str, records: Sequence[ParkedEvent]) -> ReplayRequest:
    return ReplayRequest(
        secrets.token_hex(8),
        consumer,
        sorted({record.key for record in records if record.kind == "key"}),
        sorted({record.key for record in records if record.kind == "stream"}),
        now_millis(),
    )


def _errors(responses: Sequence[ReplayResponse]) -> Iterator[str]:
    for response in responses:
        if response.fault:
            yield f"{response.target}: {response.fault}"
        for one in response.keys:
            if one.error:
                yield f"{one.kind} {one.key} at {one.upto}: {one.error}"


def _discarded(record: ParkedEvent, reason: str) -> Write:
    event = DiscardedEvent(
        consumer=record.consumer,
        kind=record.kind,
        key=record.key,
        position=record.position,
        stream=record.stream,
        revision=record.revision,
        event_type=record.event_type,
        error=record.error,
        reason=readable(reason),
        discarded_at=now_millis(),
        event=record.event,
    )
    return discarded_write(event, msgspec.to_builtins(event))
