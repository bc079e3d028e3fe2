"""Where instances are found without reading their streams: a document each in the read store, made of the stream.

The stream is the truth. A document that is behind it only makes somebody look at the stream once in vain; one that is
missing is made again when the events of the stream come from the log.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.read_store import Comparison, Page, Write
from process_manager.instances.instance import Instance
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "process_instances"
NOW = 0
NEVER = 2**53
_LARGEST_PAGE = 500


class InstanceRecord(Struct, frozen=True, omit_defaults=True):
    """`attention_at` is when something is to be done next: NOW while commands are open, when the next timer is due, or
    NEVER. `stuck` is 1 or 0. `started_position` orders the instances of a process. `next_timer` is the name of the
    timer that is due next, "" for none. Times are in epoch milliseconds."""

    process: str
    instance: str
    status: str
    outcome: str
    stuck: int
    open_steps: list[str]
    attention_at: int
    next_timer: str
    next_timer_at: int
    failed_steps: list[str]
    started_at: int
    started_position: int
    revision: int


INDEXES = (
    ("process", "attention_at"),
    ("process", "started_position"),
    ("process", "status", "started_position"),
)


class InstanceIndex:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that records can be stored."""
        await self._store.prepare(COLLECTION, InstanceRecord, INDEXES)

    async def write(self, instances: Iterable[Instance]) -> None:
        """Records how each instance is; a record that is newer stays."""
        writes = [
            Write(f"{one.process.name}:{one.id}", one.position, msgspec.to_builtins(record_of(one)))
            for one in instances
            if one.begun
        ]
        if writes:
            await self._store.write(COLLECTION, writes)

    async def needing_attention(self, process: str, until: int) -> AsyncIterator[str]:
        """The instances for which something is to be done by then, the longest due first."""
        async for fields in scan_pages(self._store, COLLECTION, {"process": process}, by="attention_at"):
            if fields["attention_at"] > until:
                return
            yield fields["instance"]

    async def page(self, process: str, *, status: str = "", before: int, limit: int) -> list[InstanceRecord]:
        """The newest instances first; those that began before a position."""
        where: dict[str, Any] = {"process": process, "started_position": Comparison(below=before)}
        if status:
            where["status"] = status
        found = await self._store.page(
            COLLECTION, Page(where, "started_position", min(limit, _LARGEST_PAGE), "descending")
        )
        return [msgspec.convert(document.fields, InstanceRecord) for _, document in found]

    async def overdue(self, process: str, before: int, *, limit: int) -> list[InstanceRecord]:
        """Those whose next timer was due before a time and has not fired, the longest due first."""
        where: dict[str, Any] = {"process": process, "attention_at": Comparison(above=NOW, below=before)}
        found = await self._store.page(COLLECTION, Page(where, "attention_at", min(limit, _LARGEST_PAGE)))
        return [msgspec.convert(document.fields, InstanceRecord) for _, document in found]

    async def oldest(self, process: str, status: str) -> InstanceRecord | None:
        """The instance in a state that began first."""
        where: dict[str, Any] = {"process": process, "status": status}
        found = await self._store.page(COLLECTION, Page(where, "started_position", 1))
        return msgspec.convert(found[0][1].fields, InstanceRecord) if found else None

    async def count(self, process: str, status: str) -> int:
        """How many instances of a process are in a state."""
        return await self._store.count(COLLECTION, {"process": process, "status": status})

    async def count_by_attention(self, process: str, attention_at: int | Comparison) -> int:
        """How many instances of a process have something to be done for them at such a time."""
        return await self._store.count(COLLECTION, {"process": process, "attention_at": attention_at})


def record_of(instance: Instance) -> InstanceRecord:
    """What is recorded of an instance."""
    timers = sorted(instance.timers.values(), key=lambda timer: timer.due_at)
    next_timer, due = (timers[0].name, _millis(timers[0].due_at)) if timers else ("", NEVER)
    return InstanceRecord(
        process=instance.process.name,
        instance=instance.id,
        status=instance.status,
        outcome=instance.outcome,
        stuck=int(instance.stuck),
        open_steps=sorted(instance.open_steps),
        attention_at=NOW if instance.open_commands else due,
        next_timer=next_timer,
        next_timer_at=due,
        failed_steps=sorted(instance.failures),
        started_at=_millis(instance.started_at) if instance.started_at else 0,
        started_position=instance.started_position,
        revision=instance.revision,
    )


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
