"""The bundled domain's lists, for tests of the engines and of the whole."""

from application import APPLICATION
from domain.model.event_types import EventTypes
from domain.model.process_events import PROCESS_EVENTS
from infrastructure.event_codec import EventCodec

VIEWS = APPLICATION.views
CODEC = EventCodec(APPLICATION.aggregates, APPLICATION.processes)
EVENT_TYPES = EventTypes(
    [
        *(event_type for aggregate in APPLICATION.aggregates for event_type in aggregate.events),
        *(event_type for process in APPLICATION.processes for event_type in process.events),
        *(PROCESS_EVENTS if APPLICATION.processes else ()),
    ]
)
