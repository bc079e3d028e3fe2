"""When a build that is being watched has come to its end, and to which: pure."""

from dataclasses import dataclass

from ops.views.answers import View

_PATIENT_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended; `reason` is a sentence for the user."""

    succeeded: bool
    reason: str


class Watch:
    """Follows one view from the request on. `before` is the collection that was live then, `target` the one that is
    to be; None until the projector tells."""

    def __init__(self, name: str, before: str | None, target: str | None = None) -> None:
        self.name = name
        self.before = before
        self.target = target
        self._idle_looks = 0

    def look(self, view: View | None) -> Ending | None:
        """What the view's present state means; None while the build is under way."""
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
        self._idle_looks = 0
        if self.target is None:
            self.target = rebuild.collection
        elif rebuild.collection != self.target:
            return Ending(False, f"it was cancelled; another build, {rebuild.collection}, is under way")
        if rebuild.state == "stopped":
            why = rebuild.trouble or "the projector does not say why"
            return Ending(False, f"it is stopped: {why}\n  end it with: eventfold views cancel {self.name}")
        return None

    def _nothing_under_way(self) -> Ending | None:
        # The instance that answers may be a moment behind the one that took the request on.
        self._idle_looks += 1
        if self._idle_looks < _PATIENT_LOOKS:
            return None
        return Ending(False, f"it was cancelled; {self.before} is served as before")
