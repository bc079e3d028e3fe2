"""All that operators can do with dead letters, over one process."""

from collections.abc import Sequence

from inbound.dead_letters import DeadLetterStore
from inbound.gates import Gates
from inbound.groups import GroupOperations
from inbound.inbox import Inbox
from inbound.operating import DeadLetterOperations
from inbound.retrying import Retrying, SourceParts
from infrastructure.dead_letters.audit import AuditLog, DeadLetterAudit, Entry


class InboundDesk:
    """`letters` one by one, `groups` of them, and the `history` of what was done. `audit_log` is the event store, where
    it is written down who asks."""

    def __init__(
        self,
        sources: Sequence[SourceParts],
        inbox: Inbox,
        gates: Gates,
        dead_letters: DeadLetterStore,
        audit_log: AuditLog,
    ) -> None:
        parts = {one.source.consumer: one for one in sources}
        retrying = Retrying(inbox, gates, dead_letters)
        self._audit = DeadLetterAudit(audit_log)
        self._consumers = sorted(parts)
        self.letters = DeadLetterOperations(parts, inbox, dead_letters, retrying, self._audit)
        self.groups = GroupOperations(parts, dead_letters, self.letters, retrying, self._audit)

    async def history(self, consumer: str | None, limit: int) -> list[Entry]:
        """The last requests for a source's dead letters, or for those of all, the newest first. Raises
        EventStoreUnavailable, StreamDeleted."""
        names = self._consumers if consumer is None else [consumer]
        found = [entry for name in names for entry in await self._audit.history(name, limit)]
        return sorted(found, key=lambda one: one.requested.requested_at, reverse=True)[:limit]
