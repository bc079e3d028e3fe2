"""The bundled domain's lists, for tests of the engines and of the whole."""

from typing import Any

from application import APPLICATION
from domain.model.event_types import EventTypes
from domain.model.process_events import PROCESS_EVENTS
from infrastructure.event_codec import EventCodec
from tests.support.memory_keys import MEMORY_KEYS

VIEWS = APPLICATION.views
CODEC = EventCodec(APPLICATION.aggregates, APPLICATION.processes, MEMORY_KEYS)
EVENT_TYPES = EventTypes(
    [
        *(event_type for aggregate in APPLICATION.aggregates for event_type in aggregate.events),
        *(event_type for process in APPLICATION.processes for event_type in process.events),
        *(PROCESS_EVENTS if APPLICATION.processes else ()),
    ]
)


def stream_of(event: Any) -> str:
    """The stream that the event stands in: that of its aggregate, under the article's number or the order's id; or that
    of its process."""
    for aggregate in APPLICATION.aggregates:
        if any(event_type.struct is type(event) for event_type in aggregate.events):
            return aggregate.stream(_id_in(event))
    for process in APPLICATION.processes:
        if any(event_type.struct is type(event) for event_type in (*process.events, *PROCESS_EVENTS)):
            return f"{process.name}-{getattr(event, 'order_id', None) or event.instance}"
    raise ValueError(f"{type(event).__name__} is an event of no aggregate")


def _id_in(event: Any) -> str:
    return next(
        str(getattr(event, name)) for name in ("sku", "order_id", "reference", "customer_id") if hasattr(event, name)
    )
