"""A process's own heartbeat, and the beats of the others."""

import os
import secrets
import socket
import time
from collections.abc import Sequence

import msgspec

from infrastructure.read_store import Page, Write
from projector.membership.member import MEMBERS, Hold, Member, ShardReport
from projector.membership.roster import Roster
from projector.ports import DocumentStore

_MOST_MEMBERS = 500


class Heartbeat:
    """`name` outlives the process (empty: the process has a name of its own); `lease` is in seconds.

    Every method raises what the store raises.
    """

    def __init__(self, store: DocumentStore, name: str, can: Sequence[str], lease: float) -> None:
        self.instance = f"{name or f'{socket.gethostname()}-{os.getpid()}'}-{secrets.token_hex(4)}"
        self._name = name or self.instance
        self._store = store
        self._can = list(can)
        self._started_at = _now()
        self._beat = self._started_at
        self._roster = Roster(lease)
        self.members: dict[str, Member] = {}
        self.alive: dict[str, Member] = {}

    async def prepare(self) -> None:
        """Checks that members can be stored, and makes this process the newest of its name, whatever the clock says."""
        await self._store.prepare(MEMBERS, Member, ())
        for _, member in (await self._found()).values():
            if member.name == self._name and member.started_at >= self._started_at:
                self._started_at = member.started_at + 1

    async def beat(self, holds: Sequence[Hold], shards: Sequence[ShardReport]) -> None:
        """Tells the others that this process lives, and how it does."""
        self._beat = max(self._beat + 1, _now())
        member = Member(self.instance, self._name, self._started_at, _now(), self._can, list(holds), list(shards))
        await self._store.write(MEMBERS, [Write(self.instance, self._beat, msgspec.to_builtins(member))])

    async def look(self) -> None:
        """Finds out who there is, and who of them is alive; forgets those who have been gone for long."""
        found = await self._found()
        self.members = {instance: member for instance, (_, member) in found.items()}
        self.alive = self._roster.look(found)
        for instance, member in self.members.items():
            if instance not in self.alive and _now() - member.beat_at > 600_000:
                await self._store.delete(MEMBERS, instance)

    async def _found(self) -> dict[str, tuple[int, Member]]:
        page = Page({}, by="started_at", limit=_MOST_MEMBERS, direction="descending")
        found = await self._store.page(MEMBERS, page)
        return {instance: (document.position, msgspec.convert(document.fields, Member)) for instance, document in found}

    @property
    def able(self) -> dict[str, list[str]]:
        """What each process can fold that new work may be given to: this one, and those that are sure to be alive."""
        return {
            instance: member.can
            for instance, member in self.alive.items()
            if instance == self.instance or self._roster.has_beaten(instance)
        }

    async def leave(self) -> None:
        """Tells the others that this process ends."""
        await self._store.delete(MEMBERS, self.instance)


def _now() -> int:
    return time.time_ns() // 1_000_000
