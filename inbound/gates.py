"""Which keys have dead letters, so that later messages of theirs wait behind: a document a key, changed by one
writer at a time, whoever that is."""

import hashlib

from msgspec import Struct

from infrastructure.read_store import Write
from subscriptions.ports import DocumentStore

COLLECTION = "inbound_keys"
_MOST_ATTEMPTS = 20


class KeyRecord(Struct, frozen=True):
    """`shut` is 1 while the key has dead letters. `retried_until` (epoch milliseconds) is until when somebody retries
    them, unless that process has ended."""

    source: str
    key: str
    shut: int = 0
    retried_until: int = 0


class Gate(Struct, frozen=True):
    """A key as it was found. `number` rises with every change."""

    source: str
    key: str
    number: int = 0
    shut: bool = False
    retried_until: int = 0


class Gates:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that records can be stored."""
        await self._store.prepare(COLLECTION, KeyRecord, ())

    async def find(self, source: str, key: str) -> Gate:
        """The gate of a key; open where nothing is known of it."""
        name = _name(source, key)
        found = (await self._store.load(COLLECTION, [name])).get(name)
        if found is None or found.fields is None:
            return Gate(source, key)
        return Gate(source, key, found.position, bool(found.fields["shut"]), int(found.fields["retried_until"]))

    async def shut(self, source: str, key: str) -> int:
        """Shuts a key, or counts on where it is; returns its new number, which no other message gets."""
        for _ in range(_MOST_ATTEMPTS):
            gate = await self.find(source, key)
            if await self.change(gate, shut=True, retried_until=gate.retried_until):
                return gate.number + 1
        raise RuntimeError(f"the key {key[:100]!r} changed {_MOST_ATTEMPTS} times while it was to be shut")

    async def change(self, gate: Gate, *, shut: bool, retried_until: int = 0) -> bool:
        """Changes a gate unless somebody else has done so since it was found."""
        fields = {"source": gate.source, "key": gate.key, "shut": int(shut), "retried_until": retried_until}
        write = Write(_name(gate.source, gate.key), gate.number + 1, fields, new=gate.number == 0)
        if gate.number == 0:
            return not await self._store.write(COLLECTION, [write])
        return await self._store.replace_exactly(COLLECTION, write, gate.number)


def _name(source: str, key: str) -> str:
    # Keys are of others: of any length, with any characters.
    return f"{source}:{hashlib.blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
