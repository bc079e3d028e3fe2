"""A process's own heartbeat, and the heartbeats of the others."""

import os
import secrets
import socket
from collections.abc import Sequence

import msgspec

from infrastructure.clock import now_millis
from infrastructure.read_store import Page, Write
from subscriptions.membership.member import MEMBERS, Member, PartitionReport, PauseAck
from subscriptions.membership.roster import Roster
from subscriptions.ports import DocumentStore

_MOST_MEMBERS = 500
_FORGOTTEN_AFTER = 600_000


class Heartbeat:
    """`service` says what the process is; `name` outlives it (empty: the process has a name of its own); `lease` is in
    seconds.

    Every method raises what the store raises.
    """

    def __init__(self, store: DocumentStore, service: str, name: str, abilities: Sequence[str], lease: float) -> None:
        own = f"{name or f'{service}-{socket.gethostname()}-{os.getpid()}'}-{secrets.token_hex(4)}"
        self.instance = own
        self.members: dict[str, Member] = {}
        self.alive: dict[str, Member] = {}
        self._name = name or self.instance
        self._service = service
        self._store = store
        self._abilities = list(abilities)
        self._started_at = now_millis()
        self._beat = self._started_at
        self._roster = Roster(lease)

    async def prepare(self) -> None:
        """Checks that members can be stored, and makes this process the newest of its name, even if clocks differ."""
        await self._store.prepare(MEMBERS, Member, ())
        for _, member in (await self._found()).values():
            if member.name == self._name and member.started_at >= self._started_at:
                self._started_at = member.started_at + 1

    async def beat(self, pause_acks: Sequence[PauseAck], partitions: Sequence[PartitionReport]) -> None:
        """Tells the others that this process is alive, and the state of its partitions."""
        self._beat = max(self._beat + 1, now_millis())
        member = Member(
            instance=self.instance,
            name=self._name,
            service=self._service,
            started_at=self._started_at,
            beat_at=now_millis(),
            abilities=self._abilities,
            pause_acks=list(pause_acks),
            partitions=list(partitions),
        )
        await self._store.write(MEMBERS, [Write(self.instance, self._beat, msgspec.to_builtins(member))])

    async def refresh(self) -> None:
        """Loads all members and which of them are alive; removes those that have been dead for long."""
        found = await self._found()
        self.members = {instance: member for instance, (_, member) in found.items()}
        self.alive = self._roster.refresh(found)
        for instance, member in self.members.items():
            if instance not in self.alive and now_millis() - member.beat_at > _FORGOTTEN_AFTER:
                await self._store.delete(MEMBERS, instance)

    async def _found(self) -> dict[str, tuple[int, Member]]:
        page = Page({}, by="started_at", limit=_MOST_MEMBERS, direction="descending")
        found = await self._store.page(MEMBERS, page)
        return {instance: (document.position, msgspec.convert(document.fields, Member)) for instance, document in found}

    @property
    def able(self) -> dict[str, list[str]]:
        """What each process can run that may get new work: this one, and those that are certainly alive."""
        return {
            instance: member.abilities
            for instance, member in self.alive.items()
            if instance == self.instance or self._roster.has_beaten(instance)
        }

    async def leave(self) -> None:
        """Tells the others that this process ends."""
        await self._store.delete(MEMBERS, self.instance)
