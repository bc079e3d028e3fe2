"""The chains of all streams, checked in one pass over a log."""

import struct
from collections.abc import Sequence

from infrastructure.event_store import METADATA_TYPE, TOMBSTONE_TYPE, StoredEvent, StreamDeleted, StreamMetadata
from infrastructure.evidence.findings import Contradiction, Finding, Kind
from infrastructure.evidence.removals import LogReads, Removals
from infrastructure.evidence.verifier import FIRST_PREVIOUS, Link, link_digest, split_metadata

# A stream's head in few bytes, for there is one for every stream: revision, place (-1: no link yet), whether the stream
# was deleted since, digest.
_HEAD = struct.Struct(">qq?32s")
_NO_PLACE = -1
# How many of the events that follow are looked at, to tell what happened to one that is wrong.
_LOOKED_AT = 4096


class StreamChains:
    """Takes the events of a log in its order. An event without a link after one with a link is a contradiction, unless
    it stands at or before the position `unlinked_until`.

    Memory grows with the number of streams, by about 210 bytes each.
    """

    def __init__(self, store: LogReads, unlinked_until: int = -1) -> None:
        self.linked = self.unlinked = 0
        self._store = store
        self._removals = Removals(store)
        self._unlinked_until = unlinked_until
        self._heads: dict[str, bytes] = {}

    @property
    def streams(self) -> int:
        """How many there are."""
        return len(self._heads)

    async def take(self, event: StoredEvent) -> None:
        """The next event. Raises Contradiction when it does not go on from the one before it in its stream."""
        if event.type == METADATA_TYPE:
            self._metadata_changed(event)
            return
        if event.type == TOMBSTONE_TYPE:
            self._heads.pop(event.stream, None)
            return
        packed = self._heads.get(event.stream)
        revision, place, deleted, digest = _HEAD.unpack(packed) if packed else (-1, _NO_PLACE, False, FIRST_PREVIOUS)
        head = None if place == _NO_PLACE else Link(place, digest)
        if event.revision <= revision:
            raise _contradiction("moved", f"it comes after revision {revision} in the log", event)
        whole = event.revision == revision + 1
        if not whole:
            await self._require_explained(event, revision + 1)
            head = None  # what it goes on from is gone
        bare, link = split_metadata(event.metadata)
        if link is None:
            self.unlinked += 1
            if head is not None and event.position > self._unlinked_until:
                raise await self._wrong(event, None, head)
        else:
            self.linked += 1
            await self._require_next(event, bare, link, head, whole=whole, seen=packed is not None, deleted=deleted)
            head = link
        newest = Link(_NO_PLACE, FIRST_PREVIOUS) if head is None else head
        self._heads[event.stream] = _HEAD.pack(event.revision, newest.place, False, newest.digest)

    def _metadata_changed(self, event: StoredEvent) -> None:
        packed = self._heads.get(event.stream)
        if packed and StreamMetadata.parse(event.data).is_soft_deleted:
            revision, place, _, digest = _HEAD.unpack(packed)
            self._heads[event.stream] = _HEAD.pack(revision, place, True, digest)

    async def _require_explained(self, event: StoredEvent, first_missing: int) -> None:
        if not await self._removals.explain(event.stream, event.revision - 1):
            missing = event.revision - first_missing
            what = "the event before it is" if missing == 1 else f"{missing} events before it are"
            raise Contradiction(
                Finding("removed", f"{what} missing at position {event.position}", event.stream, first_missing)
            )

    async def _require_next(
        self, event: StoredEvent, bare: bytes, link: Link, head: Link | None, *, whole: bool, seen: bool, deleted: bool
    ) -> None:
        anew = link.place == 0 and (
            head is None or deleted or await self._removals.explain(event.stream, event.revision - 1)
        )
        if anew:
            head = None
        elif head is None and not whole:
            return  # the event that it goes on from has been cut off
        elif head is None and seen:
            if event.position > self._unlinked_until:
                detail = f"it is link {link.place} of a chain, the events before it have none"
                raise _contradiction("altered", detail, event)
            return
        if not _goes_on(event, bare, link, head):
            raise await self._wrong(event, link, head)

    async def _wrong(self, event: StoredEvent, link: Link | None, head: Link | None) -> Contradiction:
        """What happened to an event that does not go on from the head, by what follows."""
        wanted = 0 if head is None else head.place + 1
        after = await self._after(event)
        after_links = [split_metadata(one.metadata) for one in after]
        next_place = next((one.place for _, one in after_links if one is not None), None)
        if link is not None and link.place != wanted:
            bare = split_metadata(event.metadata)[0]
            if _goes_on(event, bare, Link(wanted, link.digest), head):
                return _contradiction("altered", f"its link says place {link.place}, not {wanted}", event)
        true_next = any(
            one is not None and _goes_on(stored, bare, one, head)
            for stored, (bare, one) in zip(after, after_links, strict=True)
        )
        if true_next:
            copied = link is None or link.place < wanted or any(one == link for _, one in after_links)
            if copied or (link is not None and link.place == wanted):
                return _contradiction("inserted", "the event after it goes on from the one before it", event)
            return _contradiction("moved", f"it is link {_place(link)} of the chain, where {wanted} should be", event)
        if link is None:
            if next_place == wanted + 1:
                return _contradiction("altered", "its link was taken off", event)
            return _contradiction("inserted", "it has no link, the events before it have", event)
        if link.place > wanted:
            return _contradiction("removed", f"link {wanted} of the chain is missing; {link.place} stands there", event)
        if link.place < wanted:
            return _contradiction("inserted", f"it is link {link.place} of a chain, where {wanted} should be", event)
        return _contradiction("altered", "it, or the event before it, is not what was linked", event)

    async def _after(self, event: StoredEvent) -> Sequence[StoredEvent]:
        try:
            return (await self._store.read_slice(event.stream, event.revision + 1, _LOOKED_AT)).events
        except StreamDeleted:
            return []


def _goes_on(event: StoredEvent, bare: bytes, link: Link, head: Link | None) -> bool:
    wanted, previous = (0, FIRST_PREVIOUS) if head is None else (head.place + 1, head.digest)
    return link.place == wanted and link.digest == link_digest(
        previous, wanted, event.stream, event.id, event.type, event.data, bare
    )


def _place(link: Link | None) -> int:
    return _NO_PLACE if link is None else link.place


def _contradiction(kind: Kind, detail: str, event: StoredEvent) -> Contradiction:
    return Contradiction(Finding(kind, detail, event.stream, event.revision, event.position))
