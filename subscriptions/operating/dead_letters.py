"""Dead letters for operators: listed, shown, replayed and discarded, one by one or all of a key."""

from collections.abc import Sequence

from infrastructure.dead_letters.audit import DeadLetterAudit
from infrastructure.read_store import Comparison, Page, Scalar
from subscriptions.operating.audited import UNKNOWN, Asked, audited
from subscriptions.operating.catalogue import Catalogue
from subscriptions.operating.discarding import discarding
from subscriptions.operating.replays import NoSuchDeadLetter, Outcome, Replays
from subscriptions.parking.discarded_events import COLLECTION as DISCARDED_EVENTS
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.parking.parked_events import ParkedEvent
from subscriptions.parking.resolving import parked_record
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages


class DeadLetterOperations:
    """Methods raise what the store raises. `by` is who asks for a retry or a discard: it is in the `audit` before
    anything is done, and where it can't be, EventStoreUnavailable is raised and nothing is done."""

    def __init__(self, store: DocumentStore, catalogue: Catalogue, replays: Replays, audit: DeadLetterAudit) -> None:
        self._store = store
        self._catalogue = catalogue
        self._replays = replays
        self._audit = audit

    async def page(
        self, consumer: str | None, key: str | None, *, after: int, limit: int, fault: int | None = None
    ) -> tuple[list[ParkedEvent], bool]:
        """At most about `limit` dead letters after a position (those at one position stay together), and whether there
        are more: those of the targets that are served or about to be, for the previous ones only repeat them. With a
        `fault`, those of its group that have it recorded."""
        given = (("consumer", consumer), ("key", key), ("fault", fault))
        where: dict[str, Scalar | Comparison] = {name: value for name, value in given if value is not None}
        shown = [target.name for one in (await self._catalogue.load()).values() for target in one.shown]
        where["target"] = Comparison(one_of=tuple(sorted(shown)))
        page: list[ParkedEvent] = []
        async for document in scan_pages(self._store, PARKED_EVENTS, where, by="position", after=after):
            if len(page) >= limit and document["position"] > page[-1].position:
                return page, True
            page.append(parked_record(document))
        return page, False

    async def one(self, consumer: str, position: int) -> ParkedEvent:
        """One dead letter. Raises NoSuchDeadLetter."""
        return (await self._at(consumer, position, limit=1))[0]

    async def retry(self, consumer: str, key: str | None, *, by: str = UNKNOWN, reason: str = "") -> Outcome:
        """Replays what is parked of a consumer for a key or a stream, or for all.

        Raises NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout.
        """
        await self._replays.check(consumer)
        where: dict[str, Scalar | Comparison] = {"consumer": consumer}
        if key is not None:
            where["key"] = key
        records = [parked_record(one) async for one in scan_pages(self._store, PARKED_EVENTS, where, by="position")]
        if not records:
            raise NoSuchDeadLetter(f"nothing of {consumer} is parked" + (f" under {key}" if key else ""))
        async with audited(self._audit, consumer, "retry", Asked(by, reason), records, key=key or "") as outcome:
            return outcome.told(await self._replays.replay(consumer, records))

    async def discard(self, consumer: str, position: int, reason: str, *, by: str = UNKNOWN) -> Outcome:
        """Leaves an event out for the keys that it is parked for (all of them, where its stream is parked), for good
        and in later targets too; and replays what stood behind it.

        Raises NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout.
        """
        await self._replays.check(consumer)
        of_keys = {record.key: record for record in await self._at(consumer, position, limit=1000)}
        async with audited(self._audit, consumer, "discard", Asked(by, reason), list(of_keys.values())) as outcome:
            writes = [discarding(record, reason) for record in of_keys.values()]
            await self._store.write(DISCARDED_EVENTS, writes)
            outcome.discarded = 1
            found = scan_pages(self._store, PARKED_EVENTS, {"consumer": consumer}, by="position")
            records = [parked_record(document) async for document in found]
            concerned = [one for one in records if one.key in of_keys]
            return outcome.told(await self._replays.replay(consumer, concerned))

    async def _at(self, consumer: str, position: int, *, limit: int) -> Sequence[ParkedEvent]:
        page = Page({"consumer": consumer, "position": position}, by="position", limit=limit)
        found = await self._store.page(PARKED_EVENTS, page)
        if not found:
            raise NoSuchDeadLetter(f"no event at {position} is parked for {consumer}")
        return [parked_record(one.fields) for _, one in found if one.fields is not None]
