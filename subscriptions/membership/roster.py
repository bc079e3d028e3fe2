"""Which processes are alive, by this process's own clock: those whose heartbeat has changed within the lease's time."""

from collections.abc import Mapping
from time import monotonic

from subscriptions.membership.member import Member


class Roster:
    """`lease` is in seconds: how long after its last heartbeat a process counts as alive."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, tuple[int, float]] = {}
        self._at_first: dict[str, int] | None = None

    def refresh(self, members: Mapping[str, tuple[int, Member]]) -> dict[str, Member]:
        """Those of `members` (by instance, each with its heartbeat) that are alive."""
        moment = monotonic()
        self._seen = {
            instance: self._seen[instance] if self._seen.get(instance, (None,))[0] == beat else (beat, moment)
            for instance, (beat, _) in members.items()
        }
        if self._at_first is None:
            self._at_first = {instance: beat for instance, (beat, _) in members.items()}
        newest = _newest_of_each_name(members)
        return {
            instance: member
            for instance, (_, member) in members.items()
            if moment - self._seen[instance][1] < self._lease and newest[member.service, member.name] == instance
        }

    def has_beaten(self, instance: str) -> bool:
        """Whether a process has sent a heartbeat, or has joined, since the first refresh. Before that, nobody can tell
        whether those that were there at the first refresh have died long ago."""
        assert self._at_first is not None
        return self._seen[instance][0] != self._at_first.get(instance)


def _newest_of_each_name(members: Mapping[str, tuple[int, Member]]) -> dict[tuple[str, str], str]:
    by_age = sorted(members.items(), key=lambda one: (one[1][1].started_at, one[0]))
    return {(member.service, member.name): instance for instance, (_, member) in by_age}
