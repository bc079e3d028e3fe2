"""The lamps of each room: a view of events that lamp_details folds too, each document made of many streams."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.recorded_event import RecordedEvent
from read_models.model.view import View
from tests.support.tiny.lamp import LampInstalled


class LampRoom(Struct, frozen=True):
    """`last_lamp_id` is the lamp that was installed last."""

    room: str
    lamps: int
    watts: int
    last_lamp_id: str


def keys(event: LampInstalled) -> tuple[str, ...]:
    return (event.room,)


def fold(room: LampRoom | None, recorded: RecordedEvent[LampInstalled]) -> LampRoom:
    event = recorded.event
    if room is None:
        return LampRoom(event.room, 1, event.watts, event.lamp_id)
    return replace(room, lamps=room.lamps + 1, watts=room.watts + event.watts, last_lamp_id=event.lamp_id)


LAMP_ROOMS = View(
    name="lamp_rooms",
    version=1,
    document=LampRoom,
    events=frozenset({LampInstalled}),
    keys=keys,
    fold=fold,
    indexes=(("lamps",),),
)
