"""The record of a view: which collections hold its documents, which of them is served, and what is under way."""

from msgspec import Struct

from infrastructure.checkpoints import Anchor, Target


class Build(Struct, frozen=True, omit_defaults=True):
    """One collection of a view's documents, made by folding the log with one version of the view.

    `number` counts the view's builds from 1. `base` is the position from which a partition starts that has no
    checkpoint in the present partition epoch; -1 is before the first event; `base_anchors` are the log up to there, as
    in Checkpoint. `created_at` is in epoch milliseconds.
    """

    collection: str
    version: int
    number: int
    created_at: int
    base: int = -1
    base_anchors: list[Anchor] = []


class ViewRecord(Struct, frozen=True, omit_defaults=True):
    """One document a view, replaced whole: every change of it is one write that either happens or does not.

    Queries read `live`. `candidate` will take its place once it has caught up: a rebuild, a new version, or
    (`returning`) the previous build that an operator wants back. While `paused` is not 0, every process that writes the
    live build or the candidate waits for the switch; `paused` is the number of the pause, which the waiting processes
    acknowledge. Then both are folded up to exactly `cutover_position` (-1: not decided yet), so that they are equal at
    the switch and nobody sees an older document after it. `previous` is kept up to date until `previous_until`, then
    removed. `retired` builds are about to be removed.

    `partition_epoch` rises with every change of `partitions`, as in Target. `latest_version` is the highest version
    that was ever built, `builds_made` how many there were. `sequence` rises with every change. Times are in epoch
    milliseconds.
    """

    view: str
    live: Build
    partitions: int
    partition_epoch: int
    latest_version: int
    builds_made: int
    sequence: int
    switched_at: int
    candidate: Build | None = None
    returning: bool = False
    paused: int = 0
    cutover_position: int = -1
    previous: Build | None = None
    previous_until: int = 0
    retired: list[Build] = []

    @property
    def builds(self) -> tuple[Build, ...]:
        """Every build that is to be brought up to date."""
        return tuple(build for build in (self.live, self.candidate, self.previous) if build is not None)

    def target(self, build: Build) -> Target:
        """A build of the view as something that follows the log."""
        return Target(
            self.view,
            build.collection,
            build.version,
            self.partitions,
            self.partition_epoch,
            build.base,
            tuple(build.base_anchors),
        )
