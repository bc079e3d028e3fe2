"""The build that is served, and the position up to which it is complete."""

from collections.abc import Sequence

import msgspec

from infrastructure.checkpoints import CHECKPOINTS, low_watermark, missing_for_target
from infrastructure.checkpoints.log_check import LogReads
from infrastructure.view_registry import VIEW_RECORDS, Build, ViewRecord
from ops.views.verification.ports import DocumentSource
from read_models.model.view import View


class NotVerifiable(Exception):
    """The view can't be verified; the message says why."""


class LiveBuild:
    """The live build of a view as it was when this was made, and the version of the view that made it; `collection`
    holds its documents."""

    def __init__(self, store: DocumentSource, view: View, build: Build) -> None:
        self.view = view
        self.collection = build.collection
        self._store = store

    async def watermark(self) -> int:
        """The position up to which every partition has folded the log; -1 before the first event.

        Raises NotVerifiable when another build is served now.
        """
        record = await _record(self._store, self.view.name)
        if record.live.collection != self.collection:
            raise NotVerifiable(
                f"{record.live.collection} took the place of {self.collection} meanwhile; verify it again"
            )
        target = record.target(record.live)
        reached = low_watermark(target, await self._store.load(CHECKPOINTS, target.keys))
        return -1 if reached is None else reached

    async def require_its_log(self, log: LogReads) -> None:
        """Raises NotVerifiable when the log is not the one that the build was made from."""
        record = await _record(self._store, self.view.name)
        target = record.target(record.live)
        missing = await missing_for_target(log, target, await self._store.load(CHECKPOINTS, target.keys))
        if missing is not None:
            raise NotVerifiable(f"{missing}\nto make it right: eventfold views rebuild {self.view.name}")


async def live_build(store: DocumentSource, versions: Sequence[View]) -> LiveBuild:
    """The build served now of a view, of which these versions are there.

    Raises NotVerifiable when there is no build, or another version of the view made it.
    """
    live = (await _record(store, versions[0].name)).live
    view = next((one for one in versions if one.version == live.version), None)
    if view is None:
        have = " and ".join(str(one.version) for one in versions)
        raise NotVerifiable(
            f"its live build {live.collection} is of version {live.version}, and this is version {have} of the "
            "view: verify it with the release that it is of, or once the new version is served"
        )
    return LiveBuild(store, view, live)


async def _record(store: DocumentSource, view: str) -> ViewRecord:
    found = (await store.load(VIEW_RECORDS, [view])).get(view)
    if found is None:
        raise NotVerifiable("it has never been projected into this read store")
    return msgspec.convert(found.fields, ViewRecord)
