"""The port of the key stores: keys of persons, each wrapped by a master key, apart from the log.

A person's keys are numbered by generation, from 1. One that is destroyed leaves a tombstone, so that nothing can make
it again; who comes back gets the next generation.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Protocol

from msgspec import Struct

from infrastructure.resilience import DependencyUnavailable


class KeyStoreUnavailable(DependencyUnavailable):
    """A key can't be looked up now: the store is away, or has no such key, or none is set. Whatever needs the key must
    wait; that it was destroyed is certainly not what this says."""

    def __init__(self, cause: str, retry_after: float = 0.0) -> None:
        super().__init__("key_store", cause, retry_after)


class WrongMasterKey(KeyStoreUnavailable):
    """A key is wrapped by a master key that we do not have."""


class KeyId(Struct, frozen=True, order=True, gc=False):
    """`subject` is the kind of person and the id, as in customer/c-1."""

    subject: str
    generation: int


class KeyRecord(Struct, frozen=True, gc=False):
    """A key as it is stored: `wrapped` by the master key whose id is `master`; both empty once it is destroyed."""

    id: KeyId
    master: str
    wrapped: str

    @property
    def is_destroyed(self) -> bool:
        return not self.wrapped


def tombstone(key: KeyId) -> KeyRecord:
    """What is left of a destroyed key."""
    return KeyRecord(key, "", "")


class KeyStore(Protocol):
    """Several processes use one at a time. What a method has done is on disk when it returns; each may be repeated.

    Every method raises KeyStoreUnavailable.
    """

    async def load(self, keys: Collection[KeyId]) -> Mapping[KeyId, KeyRecord]:
        """Those of the keys that are or were there."""

    async def newest(self, subject: str) -> KeyRecord | None:
        """The person's key of the highest generation, destroyed or not."""

    async def create(self, record: KeyRecord) -> KeyRecord:
        """Stores a key unless there is or was one of this id; gives the one that is there then."""

    async def destroy(self, subject: str, generation: int) -> None:
        """Makes tombstones of the person's keys up to that generation; of the last one, even if it was never there."""

    async def replace(self, old: KeyRecord, new: KeyRecord) -> bool:
        """Wraps a key anew. False when it is not as `old` says any more; a destroyed key stays destroyed."""

    async def foreign(self, masters: Collection[str]) -> int:
        """How many keys are wrapped by none of these master keys."""

    def scan(self) -> AsyncIterator[KeyRecord]:
        """Every record, destroyed or not, in no particular order. What is changed meanwhile may come or not."""

    async def ping(self) -> None:
        """Whether it is there."""

    async def close(self) -> None:
        """Gives up what it holds open."""


class NoKeyStore:
    """In the place of one that is not set: what needs a key waits, and says so."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def load(self, keys: Collection[KeyId]) -> Mapping[KeyId, KeyRecord]:
        raise KeyStoreUnavailable(self._why)

    async def newest(self, subject: str) -> KeyRecord | None:
        raise KeyStoreUnavailable(self._why)

    async def create(self, record: KeyRecord) -> KeyRecord:
        raise KeyStoreUnavailable(self._why)

    async def destroy(self, subject: str, generation: int) -> None:
        raise KeyStoreUnavailable(self._why)

    async def replace(self, old: KeyRecord, new: KeyRecord) -> bool:
        raise KeyStoreUnavailable(self._why)

    async def foreign(self, masters: Collection[str]) -> int:
        raise KeyStoreUnavailable(self._why)

    async def scan(self) -> AsyncIterator[KeyRecord]:
        if self._why:
            raise KeyStoreUnavailable(self._why)
        yield tombstone(KeyId("", 0))  # never, but it makes this a generator

    async def ping(self) -> None:
        raise KeyStoreUnavailable(self._why)

    async def close(self) -> None:
        """It holds nothing."""
