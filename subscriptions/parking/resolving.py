"""The records of dead letters after a replay: those of replayed events are removed, one that fails now is first."""

from collections.abc import Sequence
from typing import Any

import msgspec

from subscriptions.parking.discarded_events import Discards
from subscriptions.parking.parked_events import COLLECTION, ParkedEvent, parked_id, parked_write
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages


async def parked_records(
    store: DocumentStore, target: str, kind: str | None = None, key: str | None = None
) -> list[ParkedEvent]:
    """What is parked of a target, of one key if it is given, in commit order."""
    where: dict[str, Any] = {"target": target}
    if key is not None:
        where["key"] = key
    found = scan_pages(store, COLLECTION, where, by="position")
    return [parked_record(document) async for document in found if kind in (None, document["kind"])]


def parked_record(document: dict[str, Any]) -> ParkedEvent:
    """A record as it is read back."""
    return msgspec.convert(document, ParkedEvent)


async def resolve(
    store: DocumentStore,
    records: Sequence[ParkedEvent],
    discards: Discards,
    first: int | None,
    error: str | None,
) -> None:
    """Removes the records of one key that are before `first` (None: all) or were discarded; the one at `first` parks
    the key from now on, because of `error`.

    In this order: the records that a crash in between leaves still say from which event the key is parked, or an
    earlier one.
    """
    for record in records:
        if record.position == first:
            leading = msgspec.structs.replace(record, first=1, error=error or record.error)
            write = parked_write(leading, msgspec.to_builtins(leading))
            await store.replace_exactly(COLLECTION, write, record.position)
    for record in records:
        left_out = discards.include(record.kind, record.key, record.position)
        if first is None or record.position < first or left_out:
            await store.delete(COLLECTION, parked_id(record.target, record.kind, record.key, record.position))
