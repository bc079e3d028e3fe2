"""Replays that operators ask for: requests to the processes that own the partitions, and their responses summed up."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from infrastructure.checkpoints import Target
from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure
from subscriptions.membership.leases import Leases, LeaseState
from subscriptions.operating.catalogue import Catalogue
from subscriptions.parking.discarded_events import discards_of
from subscriptions.parking.parked_events import ParkedEvent
from subscriptions.parking.resolving import records_of_keys, resolve
from subscriptions.ports import DocumentStore
from subscriptions.replaying.requests import ReplayedKey, ReplayRequest, ReplayRequests, ReplayResponse

_BETWEEN_CHECKS = 0.05
_KEYS_A_QUERY = 100


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
    event that is parked for several targets of the consumer counts once, and as long as any of them has it parked.
    `failures` are the fingerprints of the errors, each once, with what is the same in all of a group."""

    replayed: int
    remaining: int
    errors: list[str]
    failures: list[str] = []


class Replays:
    """`asked` is set for each request, so that this process handles it at once. `timeout` is in seconds: how long the
    owners may take. Methods raise what the store raises."""

    def __init__(self, store: DocumentStore, catalogue: Catalogue, asked: asyncio.Event, *, timeout: float) -> None:
        self._store = store
        self._catalogue = catalogue
        self._requests = ReplayRequests(store)
        self._leases = Leases(store)
        self._asked = asked
        self._timeout = timeout

    async def check(self, consumer: str) -> None:
        """Raises NoSuchConsumer."""
        # A process that has just started knows the names of its own consumers before it has read anything.
        if consumer not in self._catalogue.own:
            begun = await self._catalogue.load()
            if consumer not in begun:
                raise NoSuchConsumer(consumer, sorted({*self._catalogue.own, *begun}))

    async def replay(self, consumer: str, records: Sequence[ParkedEvent]) -> Outcome:
        """Replays all that is parked for the keys of the records, and sums up what came of it. Raises ReplayTimeout."""
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
            for some in _portions(sorted(keys))
            async for one in records_of_keys(self._store, target, some)
        }
        failures = sorted(set(_failures(responses)))
        return Outcome(len(before - remaining), len(remaining), sorted(set(_errors(responses))), failures)

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
        for target in sorted({response.target for response in responses}):
            of_target = [response for response in responses if response.target == target]
            if any(response.fault for response in of_target):
                continue
            replayed: dict[str, list[ReplayedKey]] = {}
            for one in (one for response in of_target for one in response.keys if one.kind == "stream"):
                replayed.setdefault(one.key, []).append(one)
            for streams in _portions(sorted(replayed)):
                records: dict[str, list[ParkedEvent]] = {stream: [] for stream in streams}
                async for record in records_of_keys(self._store, target, streams):
                    if record.kind == "stream":
                        records[record.key].append(record)
                for stream in streams:
                    await resolve(self._store, records[stream], discards, *_first_left(replayed[stream]))


def _first_left(replayed: Sequence[ReplayedKey]) -> tuple[int | None, Failure | None]:
    """The first event that one of the processes could not replay, and why; None where all were."""
    left = sorted((one.upto, index) for index, one in enumerate(replayed) if one.upto is not None)
    return (left[0][0], replayed[left[0][1]].failure) if left else (None, None)


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


def _failures(responses: Sequence[ReplayResponse]) -> Iterator[str]:
    for response in responses:
        for one in response.keys:
            if one.failure is not None:
                yield f"{one.failure.fingerprint} {one.failure.message}"


def _portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _KEYS_A_QUERY] for start in range(0, len(keys), _KEYS_A_QUERY))
