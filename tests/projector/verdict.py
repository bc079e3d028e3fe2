"""What a read store holds, beside what a plain fold of the log comes to."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import ReadStore, StoredDocument
from infrastructure.view_registry import ViewRegistry
from read_models.model.view import View
from subscriptions.store.scan import scan_pages
from tests.support.logs import PlainFold
from tests.support.order_logs import fold_of
from tests.support.ordering import VIEWS

LeftOut = Mapping[str, Collection[tuple[int, str]]]
"""For each view the position and key of every event that operators have discarded."""


async def assert_equal_to_a_fold(
    store: ReadStore,
    events: Sequence[StoredEvent],
    left_out: LeftOut | None = None,
    *,
    views: Sequence[View] = VIEWS,
    fold: PlainFold = fold_of,
) -> None:
    """Every document and parked event of every live build is what the log comes to; nothing is missing or more."""
    records = await ViewRegistry(store).load([view.name for view in views])
    for view in views:
        collection = records[view.name].live.collection
        documents, parked = fold(view, events, (left_out or {}).get(view.name, ()))
        found = {key: _whole(key, held) async for key, held in store.scan(collection)}
        wrong = {key for key in documents.keys() | found.keys() if documents.get(key) != found.get(key)}
        shown = {key: (found.get(key), documents.get(key)) for key in sorted(wrong)[:3]}
        assert not wrong, f"{len(wrong)} documents of {collection} (found, expected): {shown}"
        set_aside = [one async for one in scan_pages(store, "parked_events", {"target": collection}, by="position")]
        assert [one["position"] for one in set_aside] == sorted(parked), f"parked of {collection}"


def _whole(key: str, held: StoredDocument) -> dict[str, Any]:
    fields = {"_deleted": 1} if held.fields is None else held.fields
    return {"_id": key, "_position": held.position, **fields}
