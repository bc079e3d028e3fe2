"""Which destinations are paused: kept in the read store, so that it holds for every process and after a restart."""

from collections.abc import Collection

from msgspec import Struct

from infrastructure.read_store import Write
from subscriptions.ports import DocumentStore

COLLECTION = "relay_pauses"
_MOST_ATTEMPTS = 20


class Pause(Struct, frozen=True):
    """Whether a consumer is paused."""

    paused: bool


class Pauses:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that pauses can be stored."""
        await self._store.prepare(COLLECTION, Pause, ())

    async def of(self, consumers: Collection[str]) -> frozenset[str]:
        """Those of the consumers that are paused."""
        found = await self._store.load(COLLECTION, list(consumers))
        return frozenset(name for name, stored in found.items() if stored.fields and stored.fields["paused"])

    async def set(self, consumer: str, paused: bool) -> None:
        """Pauses a consumer, or lets it go on."""
        for _ in range(_MOST_ATTEMPTS):
            found = (await self._store.load(COLLECTION, [consumer])).get(consumer)
            number = 1 if found is None else found.position + 1
            write = Write(consumer, number, {"paused": paused}, new=found is None)
            if not await self._store.write(COLLECTION, [write]):
                return
        raise RuntimeError(f"the pause of {consumer} changed {_MOST_ATTEMPTS} times while it was to be changed")
