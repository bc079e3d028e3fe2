"""The bundled domain's lists, for tests of the engines and of the whole."""

from application import APPLICATION
from domain.model.event_types import EventTypes
from infrastructure.event_codec import EventCodec

VIEWS = APPLICATION.views
CODEC = EventCodec(APPLICATION.aggregates)
EVENT_TYPES = EventTypes([event_type for aggregate in APPLICATION.aggregates for event_type in aggregate.events])
