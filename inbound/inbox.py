"""What came of each message: a record each in the read store, so that a repetition gets the same outcome.

That a command has one effect does not hang on it: its id follows from the message, and the log has it once.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from infrastructure.clock import now_millis
from infrastructure.read_store import Comparison, Write
from subscriptions.ports import DocumentStore

COLLECTION = "inbound_inbox"

State = Literal["handling", "setting_aside", "dead_letter", "handled", "discarded"]
_RANKS: dict[str, int] = {"handling": 0, "setting_aside": 1, "dead_letter": 2, "handled": 3, "discarded": 3}
_STEPS = 1_000


class InboxEntry(Struct, frozen=True):
    """`state`: handling (some of its commands may be done), setting_aside (it is to become a dead letter), dead_letter
    (it is one), handled or discarded, which are for good. `choices` are the refusals that decided how it went on, as
    `step=code`. `commit_position` is that of the last event of its commands, -1 for none. `reason` and `by` are of
    whoever discarded it; until then `error_class`, `error_code`, `reason` and `place` (the function that failed) say
    why it was set aside. `at` is in epoch milliseconds."""

    source: str
    identity: str
    state: str
    event_source: str = ""
    event_id: str = ""
    event_type: str = ""
    key: str = ""
    choices: list[str] = []
    commit_position: int = -1
    error_class: str = ""
    error_code: str = ""
    reason: str = ""
    by: str = ""
    place: str = ""
    at: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing changes it any more."""
        return _RANKS[self.state] == 3

    @property
    def is_done(self) -> bool:
        """Whether a repetition may be acknowledged."""
        return _RANKS[self.state] >= 2


INDEXES = (("at",),)


class Overtaken(Exception):
    """Another process has done more for the message meanwhile: look again."""


class Inbox:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that entries can be stored."""
        await self._store.prepare(COLLECTION, InboxEntry, INDEXES)

    async def find(self, identity: str) -> InboxEntry | None:
        """What is known of a message."""
        found = (await self._store.load(COLLECTION, [identity])).get(identity)
        return None if found is None or found.fields is None else msgspec.convert(found.fields, InboxEntry)

    async def record(self, entry: InboxEntry) -> None:
        """Stores how far the message is. Raises Overtaken where that is known to be further."""
        rank = _RANKS[entry.state]
        # The guard of every write: what is further along has the greater number.
        number = rank * _STEPS + (0 if rank == 3 else min(len(entry.choices), _STEPS - 1)) + 1
        entry = msgspec.structs.replace(entry, at=now_millis())
        refused = await self._store.write(COLLECTION, [Write(entry.identity, number, msgspec.to_builtins(entry))])
        if refused:
            stored = await self.find(entry.identity)
            if stored is None or not _same(stored, entry):
                raise Overtaken(f"message {entry.identity} is {stored.state if stored else 'gone'} by now")

    async def forget(self, source: str, before: int) -> None:
        """Removes what was finished before a moment, in epoch milliseconds. What is a dead letter still stays."""
        finished = Comparison(one_of=("discarded", "handled"))
        await self._store.remove(COLLECTION, {"source": source, "state": finished, "at": Comparison(below=before)})


def _same(stored: InboxEntry, entry: InboxEntry) -> bool:
    """Whether the write that was refused is a repetition."""
    return stored.state == entry.state and stored.choices == entry.choices
