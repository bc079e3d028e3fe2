"""The projector's HTTP surface: status and parked events."""

from typing import Annotated, Any

from litestar import get
from litestar.params import Parameter
from msgspec import Struct

from infrastructure.problems import unavailable
from infrastructure.read_store import ReadStore, ReadStoreUnavailable
from projector.engine import Engine
from projector.parked_events import COLLECTION
from projector.ports import EventLog
from projector.status import Status, status_of


class ParkedEventSummary(Struct, frozen=True):
    """An event set aside for a view; `kind` says whether `key` is a stream or a document. Times: epoch milliseconds."""

    view: str
    kind: str
    key: str
    stream: str
    revision: int
    position: int
    event_type: str
    error: str
    recorded_at: int
    parked_at: int


class ParkedEvents(Struct, frozen=True):
    """The oldest parked events first."""

    parked: list[ParkedEventSummary]


def routes(engine: Engine, event_log: EventLog, store: ReadStore) -> list[Any]:
    """The route handlers over a running engine."""

    @get("/status", summary="How far each view is, and how far behind the log", tags=["projector"])
    async def status() -> Status:
        return await status_of(engine, event_log)

    @get("/parked", summary="Events set aside because a view could not fold them", tags=["projector"])
    async def parked(
        view: Annotated[str | None, Parameter(description="only this view's")] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
    ) -> ParkedEvents:
        where = {} if view is None else {"view": view}
        try:
            found = await store.page(COLLECTION, where, by="position", direction="ascending", limit=limit)
        except ReadStoreUnavailable as error:
            raise unavailable("read store", error) from error
        fields = ParkedEventSummary.__struct_fields__
        return ParkedEvents([ParkedEventSummary(**{field: document[field] for field in fields}) for document in found])

    return [status, parked]
