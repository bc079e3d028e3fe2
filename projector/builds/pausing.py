"""When a build must not be written, and up to where it may be: pure, so that every process comes to the same result."""

from collections.abc import Mapping

from msgspec import Struct

from infrastructure.checkpoints import Target
from infrastructure.view_registry import Build, ViewRecord
from subscriptions.membership.leases import NOBODY, LeaseState
from subscriptions.membership.member import Member, PauseAck


class SwitchTimes(Struct, frozen=True):
    """How long, in seconds, what takes part in a switch waits.

    `previous_pause` is longer than any query may still read the build before (a query API looks for the switch every
    half second, and a read ends within the read store's timeout). The new one waits for `live_pause`, until every query
    API reads it, so that no two of them differ. The live build waits at most `cutover_timeout` for a candidate to reach
    it; then it continues, and the switch is tried again after `retry_pause`.
    """

    previous_pause: float = 5.0
    live_pause: float = 0.75
    cutover_timeout: float = 10.0
    retry_pause: float = 5.0


def is_paused(
    record: ViewRecord, build: Build, since_switch: float, *, previous_pause: float, live_pause: float
) -> bool:
    """Whether nothing may be written to the build. Times are in seconds: `since_switch` is how long ago the last switch
    was seen, `previous_pause` and `live_pause` are how long the build before a switch and the one after it wait."""
    # An operator may want the previous build back before all query APIs have stopped reading it.
    if build == (record.candidate if record.returning else record.previous) and since_switch < previous_pause:
        return True
    if takes_part_in_cutover(record, build):
        return record.cutover_position < 0
    return build == record.live and since_switch < live_pause


def cutover_limit(record: ViewRecord, build: Build) -> int | None:
    """The position up to which the build may be folded before the switch; None when there is no limit."""
    return record.cutover_position if takes_part_in_cutover(record, build) else None


def takes_part_in_cutover(record: ViewRecord, build: Build) -> bool:
    """Whether the build waits for the switch that is under way."""
    return bool(record.paused) and build in (record.live, record.candidate)


def all_wait(
    record: ViewRecord,
    build: Build,
    leases: Mapping[str, LeaseState],
    alive: Mapping[str, Member],
    *,
    takeovers_seen: bool,
) -> bool:
    """Whether every process that may write the build has said that it waits.

    Those are the owners of its leases, and the processes that still fold it in an earlier partition epoch because they
    have not seen the present one. Unless `takeovers_seen`, there may also be a process that has taken over from a dead
    one and has not yet seen that it must wait.
    """
    owners = {_owner(key, leases) for key in record.target(build).keys}
    if not takeovers_seen and not owners <= alive.keys():
        return False
    return all(
        PauseAck(build.collection, record.paused) in member.pause_acks
        for instance, member in alive.items()
        if instance in owners or _folds(member, build)
    )


def _folds(member: Member, build: Build) -> bool:
    return any(one.partition.startswith(f"{build.collection}:") and one.state != "paused" for one in member.partitions)


def is_folded(target: Target, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]) -> bool:
    """Whether living processes fold every partition of the target, and no partition is stopped by a fault of its
    fold."""
    owners = [alive.get(_owner(key, leases)) for key in target.keys]
    stopped = {
        one.partition
        for owner in owners
        if owner is not None
        for one in owner.partitions
        if one.state in ("stopped", "other_log")
    }
    return None not in owners and stopped.isdisjoint(target.keys)


def is_reported_lost(target: Target, alive: Mapping[str, Member]) -> bool:
    """Whether a living process says that a partition of the target was stopped on another log."""
    lost = {one.partition for member in alive.values() for one in member.partitions if one.state == "other_log"}
    return not lost.isdisjoint(target.keys)


def _owner(key: str, leases: Mapping[str, LeaseState]) -> str:
    return leases[key].owner if key in leases else NOBODY
