"""Where answers come from: the views' documents, how far the views are, and the log itself."""

from pathlib import Path

from infrastructure.application import Application
from infrastructure.document_store import DocumentStore
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.evidence.log_proofs import LogProofs
from infrastructure.personal_data import PersonalKeys
from infrastructure.read_store import ReadStore, StoredDocument
from infrastructure.settings import Settings
from query_api.following.checkpoints import Checkpoints, Reached
from query_api.following.live_build import LiveBuild
from query_api.following.live_builds import LiveBuilds
from query_api.following.log_end import LogEnd
from query_api.following.log_match import LogMatch
from query_api.reading.bounded_reads import BoundedReads
from read_models.model.view import View


class ReadSide:
    """What every route reads from; one per process. Nothing is connected before first use."""

    def __init__(
        self,
        application: Application,
        read_store: ReadStore,
        event_store: EventStore,
        settings: Settings,
        keys: PersonalKeys | None = None,
        documents: DocumentStore | None = None,
    ) -> None:
        self.documents = documents
        self.audit = LogProofs(Path(settings.documents.audit_dir) if settings.documents.audit_dir else None)
        self.read_store = read_store
        self.events = event_store
        self.codec = EventCodec(application.aggregates, keys=keys)
        reads = BoundedReads(read_store, settings.read_store.timeout)
        self._live_builds = LiveBuilds(reads, application.views)
        self._log_match = LogMatch(event_store, reads, self._live_builds)
        self.checkpoints = Checkpoints(
            reads,
            self._live_builds,
            self._log_match,
            LogEnd(event_store),
            application.views,
            timeout=settings.queries.at_least_timeout,
        )

    async def document(self, view: View, key: str, at_least: int | None) -> StoredDocument | None:
        """One document; None when there is none, or none any more.

        With `at_least`, one that has folded every event up to that position: either the document itself has got
        there, or the whole view has.
        """
        live = await self._live_builds.of(view)
        await self._log_match.check(view.name, live)
        stored = None if live is None else await live.document(key)
        if at_least is None or (stored is not None and stored.position >= at_least):
            return stored
        return await (await self.checkpoints.reached(view, at_least)).live.document(key)

    async def live(self, view: View, at_least: int | None) -> LiveBuild | None:
        """The build to answer from, once it has reached `at_least`; None when nothing has been projected yet."""
        if at_least is None:
            live = await self._live_builds.of(view)
            await self._log_match.check(view.name, live)
            return live
        return (await self.checkpoints.reached(view, at_least)).live

    async def live_with_position(self, view: View, at_least: int | None) -> Reached | None:
        """The build to answer from and how far it is, once it has reached `at_least`; None before it is anywhere."""
        if at_least is None:
            return await self.checkpoints.now(view)
        return await self.checkpoints.reached(view, at_least)

    async def close(self) -> None:
        """Closes every connection."""
        await self.checkpoints.close()
        await self._log_match.close()
        await self._live_builds.close()
        if self.documents is not None:
            await self.documents.close()
        await self.read_store.close()
        await self.events.close()
