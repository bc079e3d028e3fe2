"""After a key store was restored from a backup: what the log says was destroyed is destroyed there again."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from domain.customers.aggregate import CUSTOMER as CUSTOMERS
from domain.customers.events import CUSTOMER, CustomerErased
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.personal_data import PersonalKeys

Report = Callable[[str], None]


class Log(Protocol):
    """See infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None = ...) -> AsyncIterator[StoredEvent]: ...


async def reapply(log: Log, codec: EventCodec, keys: PersonalKeys, report: Report) -> int:
    """Gives how many customers were erased. The keys that events before a record of an erasure are encrypted with are
    those that were destroyed then; a customer who has come back since keeps the key of the new life.

    Raises EventStoreUnavailable and KeyStoreUnavailable; it may be repeated.
    """
    used: dict[str, int] = {}
    erased: set[str] = set()
    async for stored in log.read_all():
        if not codec.is_ours(stored):
            continue
        for key in codec.keys_of(stored):
            used[key.subject] = max(used.get(key.subject, 0), key.generation)
        category, _, customer = stored.stream.partition("-")
        if category == CUSTOMERS.category and codec.struct_of(stored) is CustomerErased:
            subject = f"{CUSTOMER}/{customer}"
            await keys.destroy(subject, used.get(subject, 0))
            erased.add(customer)
    report(f"{len(erased)} customers were erased; of none of them is there a key of that time")
    return len(erased)
