"""All that operators can do with dead letters, over one process."""

import asyncio

from infrastructure.dead_letters.audit import AuditLog, DeadLetterAudit, Entry
from subscriptions.operating.catalogue import Catalogue
from subscriptions.operating.dead_letter_groups import GroupOperations
from subscriptions.operating.dead_letters import DeadLetterOperations
from subscriptions.operating.replays import Replays
from subscriptions.ports import DocumentStore


class DeadLetterDesk:
    """`letters` one by one, `groups` of them, and the `history` of what was done. `asked` and `timeout` are as in
    Replays; `audit_log` is the event store, where it is written down who asks."""

    def __init__(
        self,
        store: DocumentStore,
        catalogue: Catalogue,
        asked: asyncio.Event,
        audit_log: AuditLog,
        *,
        timeout: float,
    ) -> None:
        replays = Replays(store, catalogue, asked, timeout=timeout)
        self._catalogue = catalogue
        self._audit = DeadLetterAudit(audit_log)
        self.letters = DeadLetterOperations(store, catalogue, replays, self._audit)
        self.groups = GroupOperations(store, catalogue, replays, self._audit)

    async def history(self, consumer: str | None, limit: int) -> list[Entry]:
        """The last requests for a consumer's dead letters, or for those of all that have begun, the newest first.
        Raises EventStoreUnavailable, StreamDeleted, and what the read store raises."""
        names = [consumer] if consumer is not None else sorted(await self._catalogue.load())
        found = [entry for name in names for entry in await self._audit.history(name, limit)]
        return sorted(found, key=lambda one: one.requested.requested_at, reverse=True)[:limit]
