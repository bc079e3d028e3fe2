"""Keys of persons in memory, and what awaits them without a loop: nothing in memory ever waits."""

from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.personal_data import KeyId, KeyRecord, MasterKeys, PersonalKeys
from infrastructure.personal_data.key_store import KeyStoreUnavailable, tombstone
from infrastructure.personal_data.master_keys import MasterKey, new_master_key

T = TypeVar("T")


class MemoryKeyStore:
    """See infrastructure.personal_data.KeyStore. `away` makes it so; `asked` counts what it was asked."""

    def __init__(self) -> None:
        self.records: dict[KeyId, KeyRecord] = {}
        self.away = False
        self.asked = 0

    async def load(self, keys: Collection[KeyId]) -> Mapping[KeyId, KeyRecord]:
        self._come()
        return {key: self.records[key] for key in keys if key in self.records}

    async def newest(self, subject: str) -> KeyRecord | None:
        self._come()
        return self.records[max(ids)] if (ids := [one for one in self.records if one.subject == subject]) else None

    async def create(self, record: KeyRecord) -> KeyRecord:
        self._come()
        return self.records.setdefault(record.id, record)

    async def destroy(self, subject: str, generation: int) -> None:
        self._come()
        for number in range(1, generation + 1):
            key = KeyId(subject, number)
            self.records[key] = tombstone(key)

    async def replace(self, old: KeyRecord, new: KeyRecord) -> bool:
        self._come()
        if old.is_destroyed or self.records.get(old.id) != old:
            return False
        self.records[old.id] = new
        return True

    async def foreign(self, masters: Collection[str]) -> int:
        self._come()
        return sum(one.master not in {*masters, ""} for one in self.records.values())

    async def scan(self) -> AsyncIterator[KeyRecord]:
        self._come()
        for record in list(self.records.values()):
            yield record

    async def ping(self) -> None:
        self._come()

    async def close(self) -> None:
        pass

    def _come(self) -> None:
        self.asked += 1
        if self.away:
            raise KeyStoreUnavailable("away")


class MemoryMasterKeys(MasterKeys):
    """Master keys that stand in no file."""

    def __init__(self, *keys: MasterKey) -> None:
        super().__init__(Path("memory"))
        self.keys = keys or (new_master_key(),)

    def all(self) -> tuple[MasterKey, ...]:
        return self.keys


def memory_keys(store: MemoryKeyStore | None = None, **options: Any) -> PersonalKeys:
    """Keys over a store in memory."""
    return PersonalKeys(store or MemoryKeyStore(), MemoryMasterKeys(), **options)


MEMORY_KEYS = memory_keys()
"""Those of all tests that don't care."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that does not wait for anything."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise AssertionError("it waits for something")


def decoded_at_once(codec: EventCodec, stored: StoredEvent) -> RecordedEvent[Struct]:
    """An event of a log in memory, decoded."""
    return at_once(codec.decoder([stored]))(stored)
