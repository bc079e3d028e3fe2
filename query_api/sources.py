"""Where answers come from: the views' documents, how far the views are, and the log itself."""

from infrastructure.event_store import EventStore
from infrastructure.problems import Problem
from infrastructure.read_store import Held, ReadStore
from infrastructure.settings import Settings
from query_api.bounded_reads import BoundedReads
from query_api.checkpoints import Checkpoints
from query_api.coalescing import CoalescedReads
from read_models.view import View
from read_models.views import VIEWS


class Sources:
    """What every route reads from; one per process. Nothing is connected before first use."""

    def __init__(self, settings: Settings) -> None:
        self.read_store = ReadStore(settings.mongo_uri, settings.mongo_database, timeout=settings.readstore_timeout)
        self.documents = BoundedReads(self.read_store, settings.readstore_timeout)
        self._by_key = {view.collection: CoalescedReads(self.documents, view.collection) for view in VIEWS}
        self.events = EventStore(
            settings.eventstore_uri, patience=settings.eventstore_patience, deadline=settings.eventstore_deadline
        )
        self.checkpoints = Checkpoints(self.documents, VIEWS, timeout=settings.at_least_timeout)

    async def document(self, view: View, key: str, at_least: int | None) -> Held | None:
        """One document; None when there is none, or none any more.

        With `at_least`, one that has folded every event up to that position: either the document itself has got
        there, or the whole view has.
        """
        held = await self._find(view, key)
        if at_least is None or (held is not None and held.position >= at_least):
            return held
        await self.checkpoints.reached(view, at_least)
        return await self._find(view, key)

    async def _find(self, view: View, key: str) -> Held | None:
        held = await self._by_key[view.collection].get(key)
        return None if held is None or held.fields is None else held

    async def view_position(self, view: View, at_least: int | None) -> int | None:
        """How far the view is, once it has reached `at_least`; None before its first checkpoint."""
        if at_least is None:
            return await self.checkpoints.position(view)
        return await self.checkpoints.reached(view, at_least)

    async def close(self) -> None:
        """Closes every connection."""
        await self.checkpoints.close()
        await self.read_store.close()
        await self.events.close()


def not_found(what: str) -> Problem:
    """404: there is no such thing (or the view does not know it yet)."""
    return Problem(404, "not-found", "Not found", f"there is no {what}")
