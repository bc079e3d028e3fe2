"""A lamp: installed in a room, switched on and off."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import AlreadyExists, Fault, InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.event_types import EventType
from domain.model.identifiers import identifier_faults

MAX_WATTS = 1_000
WATTS_OF_VERSION_1 = 60


class InstallLamp(Struct, frozen=True, forbid_unknown_fields=True):
    """Install a lamp in a room."""

    room: str
    watts: int


class SwitchLampOn(Struct, frozen=True, forbid_unknown_fields=True):
    """Switch a lamp on that is off."""


class SwitchLampOff(Struct, frozen=True, forbid_unknown_fields=True):
    """Switch a lamp off that is on."""


class LampInstalled(Struct, frozen=True):
    """A lamp was installed; it is off."""

    lamp_id: str
    room: str
    watts: int
    installed_at: datetime


class LampSwitchedOn(Struct, frozen=True):
    """The lamp is on."""

    lamp_id: str
    switched_at: datetime


class LampSwitchedOff(Struct, frozen=True):
    """The lamp is off again."""

    lamp_id: str
    switched_at: datetime


LampCommand = InstallLamp | SwitchLampOn | SwitchLampOff
LampEvent = LampInstalled | LampSwitchedOn | LampSwitchedOff


class Lamp(Struct, frozen=True):
    """What the rules need to remember of a lamp."""

    lamp_id: str
    room: str
    watts: int
    status: str


def decide(command: LampCommand, lamp: Lamp | None, context: CommandContext) -> list[LampEvent]:
    """The event that the command brings about."""
    faults = identifier_faults(context.aggregate_id, "/lamp_id")
    if isinstance(command, InstallLamp):
        return [_install(command, lamp, context, faults)]
    if faults:
        raise InvalidCommand(faults)
    if lamp is None:
        raise NoSuchAggregate(f"there is no lamp {context.aggregate_id}")
    needed, event = ("off", LampSwitchedOn) if isinstance(command, SwitchLampOn) else ("on", LampSwitchedOff)
    if lamp.status != needed:
        raise RuleViolation(f"lamp-not-{needed}", f"lamp {lamp.lamp_id} is {lamp.status}")
    return [event(lamp.lamp_id, context.at)]


def _install(command: InstallLamp, lamp: Lamp | None, context: CommandContext, faults: list[Fault]) -> LampInstalled:
    faults = faults + identifier_faults(command.room, "/room")
    if not 1 <= command.watts <= MAX_WATTS:
        faults.append(Fault("/watts", f"must be 1 to {MAX_WATTS}, not {command.watts}"))
    if faults:
        raise InvalidCommand(faults)
    if lamp is not None:
        raise AlreadyExists("lamp-exists", f"lamp {lamp.lamp_id} has already been installed")
    return LampInstalled(context.aggregate_id, command.room, command.watts, context.at)


def evolve(lamp: Lamp | None, event: LampEvent) -> Lamp:
    """The lamp after the event."""
    if isinstance(event, LampInstalled):
        return Lamp(event.lamp_id, event.room, event.watts, "off")
    if lamp is None:
        raise ValueError(f"{type(event).__name__} of lamp {event.lamp_id} stands before its LampInstalled")
    return replace(lamp, status="on" if isinstance(event, LampSwitchedOn) else "off")


def installed_1_to_2(event: dict[str, Any]) -> dict[str, Any]:
    """Version 1 called the room `place` and knew no watts."""
    return {
        "lamp_id": event["lamp_id"],
        "room": event["place"],
        "watts": WATTS_OF_VERSION_1,
        "installed_at": event["installed_at"],
    }


LAMP = Aggregate(
    category="lamp",
    plural="lamps",
    state=Lamp,
    commands=(
        CommandType(InstallLamp, "install", creates=True, summary="Install a lamp", access=Access("lamps:install")),
        CommandType(SwitchLampOn, "switch-on", summary="Switch a lamp on", access=Access("lamps:switch-on")),
        CommandType(SwitchLampOff, "switch-off", summary="Switch a lamp off", access=Access("lamps:switch-off")),
    ),
    events=(
        EventType("LampInstalled", 2, LampInstalled, {1: installed_1_to_2}),
        EventType("LampSwitchedOn", 1, LampSwitchedOn),
        EventType("LampSwitchedOff", 1, LampSwitchedOff),
    ),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({LampInstalled}),
    owner="room",
    read_access=Access("lamps:read"),
)
