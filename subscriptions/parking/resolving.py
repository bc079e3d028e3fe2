"""The records of dead letters after a replay: those of replayed events are removed, one that fails now is first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure
from infrastructure.read_store import Comparison
from subscriptions.parking.discarded_events import Discards
from subscriptions.parking.parked_events import COLLECTION, ParkedEvent, parked_id, parked_write
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

_AT_ONCE = 16


async def records_of_keys(store: DocumentStore, target: str, keys: Collection[str]) -> AsyncIterator[ParkedEvent]:
    """What is parked of a target for any of these keys and streams, in commit order."""
    where: dict[str, Any] = {"target": target, "key": Comparison(one_of=tuple(sorted(keys)))}
    async for document in scan_pages(store, COLLECTION, where, by="position"):
        yield parked_record(document)


def parked_record(document: dict[str, Any]) -> ParkedEvent:
    """A record as it is read back."""
    return msgspec.convert(document, ParkedEvent)


async def resolve(
    store: DocumentStore,
    records: Sequence[ParkedEvent],
    discards: Discards,
    first: int | None,
    failure: Failure | None,
) -> None:
    """Removes the records of one key that are before `first` (None: all) or were discarded; the one at `first` parks
    the key from now on, because of `failure`, which is told of those behind it too.

    In this order: the records that a crash in between leaves still say from which event the key is parked, or an
    earlier one.
    """
    for record in records:
        if record.position == first:
            await _replace(store, _leading(record, failure))
    gone = [one for one in records if first is None or one.position < first or _is_left_out(discards, one)]
    await _each(store.delete(COLLECTION, _id(record)) for record in gone)
    if failure is not None and first is not None:
        behind = [one for one in records if one.position > first and one.fingerprint != failure.fingerprint]
        await _each(_replace(store, _because_of(one, failure)) for one in behind if not _is_left_out(discards, one))


def _leading(record: ParkedEvent, failure: Failure | None) -> ParkedEvent:
    told = msgspec.structs.replace(record, first=1, retries=record.retries + 1, retried_at=now_millis())
    if failure is None:
        return told
    return _because_of(msgspec.structs.replace(told, error=failure.error), failure)


def _because_of(record: ParkedEvent, failure: Failure) -> ParkedEvent:
    return msgspec.structs.replace(
        record,
        fingerprint=failure.fingerprint,
        fault=failure.fault,
        place=failure.place,
        message=failure.message,
    )


async def _replace(store: DocumentStore, record: ParkedEvent) -> None:
    write = parked_write(record, msgspec.to_builtins(record))
    await store.replace_exactly(COLLECTION, write, record.position)


def _is_left_out(discards: Discards, record: ParkedEvent) -> bool:
    return discards.include(record.kind, record.key, record.position)


def _id(record: ParkedEvent) -> str:
    return parked_id(record.target, record.kind, record.key, record.position)


async def _each(work: Iterator[Awaitable[None]]) -> None:
    """Awaits all of it, some at a time."""
    while some := list(islice(work, _AT_ONCE)):
        await asyncio.gather(*some)
