"""How a view's record may change: pure functions from one record to the next."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from infrastructure.checkpoints import NO_TRAIL, Trail
from infrastructure.view_registry.record import Build, ViewRecord

MOST_PARTITIONS = 64


class NotPossible(Exception):
    """What was asked can't be done in the view's present state; the message says why, in words for operators."""


def first_record(view: str, version: int, partitions: int, now: int) -> ViewRecord:
    """A view that has not been projected before. Its first build is served from the start."""
    live = Build(f"{view}_v{version}", version, 1, now)
    return ViewRecord(
        view=view,
        live=live,
        partitions=partitions,
        partition_epoch=1,
        latest_version=version,
        builds_made=1,
        sequence=1,
        switched_at=now,
    )


def with_candidate(record: ViewRecord, version: int, now: int) -> ViewRecord:
    """Begins a build beside the live one. Raises NotPossible when one is under way."""
    _require_nothing_under_way(record)
    return _with_build(record, version, now)


def with_candidate_instead(record: ViewRecord, version: int, now: int) -> ViewRecord:
    """Gives up what is under way, a previous build too, because it is of another log; and begins a build.

    Raises NotPossible without a candidate.
    """
    retired = [*record.retired, _candidate(record)]
    return _with_build(record, version, now, returning=False, paused=0, cutover_position=-1, retired=retired)


def _with_build(record: ViewRecord, version: int, now: int, **changes: object) -> ViewRecord:
    number = record.builds_made + 1
    collection = f"{record.view}_v{version}"
    if version <= record.latest_version:
        collection = f"{collection}_r{number}"
    return _next(
        record,
        candidate=Build(collection, version, number, now),
        latest_version=max(version, record.latest_version),
        builds_made=number,
        **changes,
    )


def with_previous_as_candidate(record: ViewRecord) -> ViewRecord:
    """Begins the way back to the previous build. Raises NotPossible when there is none or something is under way."""
    _require_nothing_under_way(record)
    if record.previous is None:
        raise NotPossible(f"{record.view} has no previous build to go back to")
    return _next(record, candidate=record.previous, returning=True, previous=None, previous_until=0)


def paused(record: ViewRecord) -> ViewRecord:
    """Tells every process that writes the live build or the candidate to wait for the switch.

    Raises NotPossible without a candidate.
    """
    _candidate(record)
    return _next(record, paused=record.sequence + 1, cutover_position=-1)


def with_cutover(record: ViewRecord, position: int) -> ViewRecord:
    """Lets both builds continue up to `position`, once all processes wait. Raises NotPossible without a pause."""
    if not record.paused:
        raise NotPossible(f"{record.view} is not about to be switched")
    return _next(record, cutover_position=position)


def resumed(record: ViewRecord) -> ViewRecord:
    """Lets the live build continue; the candidate continues to catch up."""
    return _next(record, paused=0, cutover_position=-1)


def switched(record: ViewRecord, now: int, grace: int, *, keep: bool = True) -> ViewRecord:
    """Serves the candidate from now on; the build before it is kept for `grace` milliseconds, or not at all unless
    `keep`: one of another log can never be served again.

    Raises NotPossible without a candidate.
    """
    candidate = _candidate(record)
    older = [build for build in (record.previous, None if keep else record.live) if build is not None]
    return _next(
        record,
        live=candidate,
        candidate=None,
        returning=False,
        paused=0,
        cutover_position=-1,
        switched_at=now,
        previous=record.live if keep else None,
        previous_until=now + grace if keep else 0,
        retired=[*record.retired, *older],
    )


def cancelled(record: ViewRecord, now: int, grace: int) -> ViewRecord:
    """Gives up what is under way: a new build is removed, a previous one stays the previous one for `grace` again.

    Raises NotPossible when nothing is under way.
    """
    candidate = _candidate(record)
    if record.returning:
        return _next(
            record,
            candidate=None,
            returning=False,
            paused=0,
            cutover_position=-1,
            previous=candidate,
            previous_until=now + grace,
        )
    return _next(record, candidate=None, paused=0, cutover_position=-1, retired=[*record.retired, candidate])


def without_previous(record: ViewRecord) -> ViewRecord:
    """Gives up the previous build. Raises NotPossible when there is none."""
    if record.previous is None:
        raise NotPossible(f"{record.view} has no previous build to remove")
    return _next(record, previous=None, previous_until=0, retired=[*record.retired, record.previous])


def forgotten(record: ViewRecord, build: Build) -> ViewRecord:
    """Removes a retired build from the record, once nothing is left of it."""
    return _next(record, retired=[one for one in record.retired if one.collection != build.collection])


def repartitioned(
    record: ViewRecord, partitions: int, reached: Mapping[str, int], trails: Mapping[str, Trail] = {}
) -> ViewRecord:
    """Changes the number of partitions. `reached` is how far each of its builds (by collection) has come at least, and
    `trails` the log up to there.

    Each new partition starts there: what it folds again is refused by the documents, which know their position.
    Raises NotPossible.
    """
    if not 1 <= partitions <= MOST_PARTITIONS:
        raise NotPossible(f"a view has 1 to {MOST_PARTITIONS} partitions, not {partitions}")
    if record.paused:
        raise NotPossible(f"{record.view} is being switched; try again in a few seconds")

    def moved(build: Build | None) -> Build | None:
        if build is None:
            return None
        anchors = list(trails.get(build.collection, NO_TRAIL))
        return replace(build, base=reached[build.collection], base_anchors=anchors)

    return _next(
        record,
        partitions=partitions,
        partition_epoch=record.partition_epoch + 1,
        live=moved(record.live),
        candidate=moved(record.candidate),
        previous=moved(record.previous),
    )


def _next(record: ViewRecord, **changes: object) -> ViewRecord:
    return msgspec.structs.replace(record, sequence=record.sequence + 1, **changes)


def _require_nothing_under_way(record: ViewRecord) -> None:
    if record.candidate is not None:
        what = "going back to its previous build" if record.returning else "being rebuilt"
        raise NotPossible(f"{record.view} is {what} already, into {record.candidate.collection}")


def _candidate(record: ViewRecord) -> Build:
    if record.candidate is None:
        raise NotPossible(f"{record.view} is not being rebuilt")
    return record.candidate
