"""Watches builds until each is served, or has failed to be."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ops.views.client import ViewsClient
from ops.views.responses import Rebuild, View

INTERVAL = 0.5
"""Seconds between two requests for the state of the views."""

RETRY_TIMEOUT = 60.0
"""Seconds for which the projector may be away, because it is restarted, while its builds are watched."""

_IDLE_STATES_IGNORED = 2


@dataclass(frozen=True, slots=True)
class Ending:
    """How a build ended; `reason` is a sentence for the user."""

    succeeded: bool
    reason: str


class BuildWatch:
    """One view's build, from the request on. `before` is the collection that was live when the build was asked for,
    `target` the one that is to be live; None until the projector tells it."""

    def __init__(self, name: str, before: str | None, target: str | None = None) -> None:
        self.name = name
        self.before = before
        self.target = target
        self._idle_states = 0

    def observe(self, view: View | None) -> Ending | None:
        """How the build has ended, by the view's present state; None while it is under way."""
        if view is None:
            return Ending(False, "the projector does not know it any more")
        if self.before is None:
            self.before = view.collection
        if view.collection is not None and view.collection != self.before:
            if self.target in (None, view.collection):
                return Ending(True, f"served from {view.collection} now")
            return Ending(False, f"{self.target} was given up; {view.collection} is served now")
        rebuild = view.rebuild
        if rebuild is None:
            return self._nothing_under_way()
        self._idle_states = 0
        if self.target is None:
            self.target = rebuild.collection
        elif rebuild.collection != self.target:
            return Ending(False, f"it was cancelled; another build, {rebuild.collection}, is under way")
        if rebuild.state in ("stopped", "other_log"):
            why = rebuild.trouble or "the projector does not say why"
            return Ending(False, f"it is stopped: {why}\n  end it with: eventfold views cancel {self.name}")
        return None

    def _nothing_under_way(self) -> Ending | None:
        # The instance that answers may be a moment behind the one that accepted the request.
        self._idle_states += 1
        if self._idle_states <= _IDLE_STATES_IGNORED:
            return None
        return Ending(False, f"it was cancelled; {self.before} is served as before")


class ShowsBuilds(Protocol):
    """Whatever shows the builds meanwhile; see ops.views.build_progress."""

    def show(self, name: str, rebuild: Rebuild) -> None:
        """How far the view's build is now."""

    def end(self, name: str, ending: Ending) -> None:
        """The view's build has ended."""


async def watch_builds(views: ViewsClient, watches: Sequence[BuildWatch], display: ShowsBuilds) -> dict[str, Ending]:
    """How each build ended, by its view's name; all are asked for at once.

    Raises:
        CommandFailed: the projector gives no answer for as long as the client retries.
    """
    endings: dict[str, Ending] = {}
    while True:
        status, _ = await views.all()
        for watch in watches:
            if watch.name in endings:
                continue
            view = status.view(watch.name)
            ending = watch.observe(view)
            if ending is not None:
                endings[watch.name] = ending
                display.end(watch.name, ending)
            elif view is not None and view.rebuild is not None:
                display.show(watch.name, view.rebuild)
        if len(endings) == len(watches):
            return endings
        await asyncio.sleep(INTERVAL)
