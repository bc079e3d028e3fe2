"""What the log tells of the contracts of orders: every step, and whether anything is still to happen."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from application import APPLICATION
from domain.documents.events import ContractSealed, ContractSigned, ContractWithdrawn, SignatureRequested
from infrastructure.event_codec import EventCodec, EventMetadata, decode_metadata
from infrastructure.event_store import EventStore, StoredEvent
from infrastructure.personal_data import PersonalKeys
from process_manager.choreographies.chains import ChainReader, ReadChain

CHOREOGRAPHY = "order_contract"
_STREAMS = ("order-", "contract-", "notification-")


class ContractLog:
    """Read event by event as far as it goes; `events` are those of orders, contracts and notifications."""

    def __init__(self, log: EventStore, keys: PersonalKeys) -> None:
        self.events: list[Any] = []
        self.stored: list[StoredEvent] = []
        self._position: int | None = None
        self._codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
        self._chains = ChainReader(log, self._codec, APPLICATION.choreographies)
        self._log = log

    async def catch_up(self) -> None:
        """Reads what is new. Raises EventStoreUnavailable."""
        async for stored in self._log.read_all(self._position):
            if self._position is not None and stored.position <= self._position:
                continue  # another reader was faster
            self._position = stored.position
            if self._codec.is_ours(stored) and stored.stream.startswith(_STREAMS):
                decode = await self._codec.decoder([stored])
                self.events.append(decode(stored).event)
                self.stored.append(stored)

    def has(self, kind: type) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    def of(self, order: str) -> list[Any]:
        """The events of its contract."""
        stream = f"contract-{order}"
        return [event for event, one in zip(self.events, self.stored, strict=True) if one.stream == stream]

    def signable(self) -> list[SignatureRequested]:
        """Every contract that was ever put up to be signed."""
        return [event for event in self.events if isinstance(event, SignatureRequested)]

    def counts(self, order: str) -> Counter[str]:
        """How often each event stands in its contract, but for the notices, of which there are several."""
        return Counter(type(event).__name__ for event in self.of(order))

    async def chain(self, order: str) -> ReadChain:
        """As operators see it."""
        return await self._chains.read(CHOREOGRAPHY, order)

    async def unsettled(self, orders: Sequence[str]) -> list[str]:
        """What is still awaited, in words; at most ten."""
        found: list[str] = []
        for order in orders:
            if self._may_have_ended(order):
                found += [f"{order}: {one.what}" for one in (await self.chain(order)).awaited]
            else:
                found.append(f"{order}: {dict(self.counts(order))}")
            if len(found) >= 10:
                break
        return found

    def _may_have_ended(self, order: str) -> bool:
        return any(isinstance(event, ContractSealed | ContractWithdrawn) for event in self.of(order))

    def metadata_of_steps(self, order: str) -> list[tuple[Any, EventMetadata]]:
        """Every step that a service has taken: all but the customer's own."""
        return [
            (event, decode_metadata(one))
            for event, one in zip(self.events, self.stored, strict=True)
            if one.stream == f"contract-{order}" and not isinstance(event, ContractSigned)
        ]
