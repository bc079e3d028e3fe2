"""given / then for views: events that happened, the documents that come of them."""

from typing import Any

from read_models.model.view import View
from tests.projector.running import project_all
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, stream_of
from tests.support.order_logs import OrderLog, fold_of


class Given:
    """A log in which each event stands in the stream of its aggregate."""

    def __init__(self, view: View, *events: Any) -> None:
        self.view = view
        self.log = OrderLog()
        for event in events:
            self.log.add(stream_of(event), event)

    @property
    def positions(self) -> list[int]:
        """The positions of the events, in order."""
        return [event.position for event in self.log.events]

    async def then(self, **documents: dict[str, Any]) -> None:
        """The view comes to exactly these documents, without `_id` and `_position`.

        So it does when the log is folded plainly, projected in one batch or event by event, and projected once more
        over what is already there: events at or below a document's position change nothing.
        """
        expected, parked = fold_of(self.view, self.log.events)
        assert parked == set()
        assert {key: _fields(one) for key, one in expected.items()} == documents
        for cuts in ([], [1] * len(self.log.events)):
            store = MemoryReadStore()
            for _ in range(2):
                await project_all(ScriptedLog(self.log.events, cuts), store, [self.view], codec=CODEC)
                assert store.documents(self.view.collection) == expected
                del store.collections["checkpoints"]


def _fields(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("_id", "_position")}
