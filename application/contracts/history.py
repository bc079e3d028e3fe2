"""What has happened to a contract, with who did it: from the contract's stream in the log."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from msgspec import Struct

from domain.documents.aggregate import CONTRACT
from domain.documents.events import ContractEvent
from infrastructure.event_codec import EventCodec, decode_metadata
from infrastructure.event_store import EventStore
from infrastructure.personal_data import PersonalKeys, personal_keys
from infrastructure.settings import Settings


class Step(Struct, frozen=True):
    """An event of a contract. `actor` is for whom it was caused, `sent_by` who caused it where that is somebody else;
    empty where nobody had to prove who they are."""

    event: ContractEvent
    revision: int
    actor: str = ""
    sent_by: str = ""


History = Callable[[str, int], Awaitable[Sequence[Step]]]
"""history(order, revision) -> the steps of its contract up to that revision, oldest first."""


class ContractHistory:
    """Reads contracts from the log. Closes log and keys with itself."""

    def __init__(self, log: EventStore, keys: PersonalKeys) -> None:
        self._log = log
        self._keys = keys
        self._codec = EventCodec([CONTRACT], keys=keys)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The log and the keys that the settings name. Raises InvalidSettings."""
        return cls(EventStore.from_settings(settings), personal_keys(settings))

    async def __call__(self, order_id: str, revision: int) -> Sequence[Step]:
        """As History says. Raises EventStoreUnavailable, StreamDeleted, KeyStoreUnavailable."""
        events = (await self._log.read_slice(CONTRACT.stream(order_id), 0, revision + 1)).events
        decode = await self._codec.decoder(events)
        steps = []
        for stored in events:
            metadata = decode_metadata(stored)
            event: ContractEvent = decode(stored).event  # type: ignore[assignment]
            steps.append(Step(event, stored.revision, metadata.actor or "", metadata.sent_by or ""))
        return steps

    async def close(self) -> None:
        await self._log.close()
        await self._keys.close()
