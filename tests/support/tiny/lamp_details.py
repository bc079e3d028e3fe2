"""One lamp, made of its own stream alone."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis
from tests.support.tiny.lamp import LampEvent, LampInstalled, LampSwitchedOff, LampSwitchedOn


class LampDetails(Struct, frozen=True, omit_defaults=True):
    """`version` is the stream revision, `installed_position` the commit position of the first event."""

    lamp_id: str
    room: str
    watts: int
    status: str
    installed_at: int
    updated_at: int
    version: int
    installed_position: int
    switched_on_at: int | None = None


def keys(event: LampEvent) -> tuple[str, ...]:
    """The lamp's document."""
    return (event.lamp_id,)


def fold(lamp: LampDetails | None, recorded: RecordedEvent[LampEvent]) -> LampDetails:
    """The lamp's document after the event."""
    event = recorded.event
    if isinstance(event, LampInstalled):
        at = millis(event.installed_at)
        return LampDetails(event.lamp_id, event.room, event.watts, "off", at, at, recorded.revision, recorded.position)
    if lamp is None:
        raise ValueError(f"{type(event).__name__} of lamp {event.lamp_id} stands before its LampInstalled")
    at = millis(event.switched_at)
    if isinstance(event, LampSwitchedOn):
        return replace(lamp, status="on", updated_at=at, switched_on_at=at, version=recorded.revision)
    return replace(lamp, status="off", updated_at=at, switched_on_at=None, version=recorded.revision)


_STATUS = Parameter("status", OneOf(("off", "on")), "Only lamps with this status")

LAMP_DETAILS = View(
    name="lamp_details",
    version=1,
    document=LampDetails,
    events=frozenset({LampInstalled, LampSwitchedOn, LampSwitchedOff}),
    keys=keys,
    fold=fold,
    indexes=(("installed_position",), ("room", "installed_position"), ("status", "installed_position")),
    per_stream=True,
    dropped_with="lamp",
    begins_with=frozenset({LampInstalled}),
    queries=(
        KeyQuery(
            path="/lamps/{lamp_id}",
            operation="GetLamp",
            access=Access("lamps:read", owner="room"),
            summary="One lamp",
            key=Parameter("lamp_id", Identifier()),
            noun="lamp",
            version_field="version",
            aggregate="lamp",
        ),
        ListQuery(
            path="/lamps",
            operation="ListLamps",
            access=Access("lamps:read", owner="room"),
            summary="Lamps, newest first",
            filters=(_STATUS, Parameter("room", Identifier(), "Only lamps in this room")),
            sort="installed_position",
        ),
        ListQuery(
            path="/rooms/{room}/lamps",
            operation="ListRoomLamps",
            access=Access("lamps:read", owner="room"),
            summary="The lamps of a room, newest first",
            filters=(Parameter("room", Identifier()), _STATUS),
            sort="installed_position",
        ),
    ),
)
