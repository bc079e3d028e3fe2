"""A meter: installed, then read again and again. It asks for snapshots, and no view shows it."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import AlreadyExists, NoSuchAggregate, RuleViolation
from domain.model.event_types import EventType


class InstallMeter(Struct, frozen=True, forbid_unknown_fields=True):
    """Install a meter."""


class ReadMeter(Struct, frozen=True, forbid_unknown_fields=True):
    """Note what the meter shows, which never falls."""

    shows: int


class MeterInstalled(Struct, frozen=True):
    """A meter that shows nothing yet."""

    meter_id: str
    installed_at: datetime


class MeterRead(Struct, frozen=True):
    """What it showed, and how much more than before that was."""

    meter_id: str
    shows: int
    used: int


class Meter(Struct, frozen=True):
    """What the rules need to remember of a meter. `readings` counts them."""

    meter_id: str
    installed_at: datetime
    shows: int = 0
    readings: int = 0


def decide(
    command: InstallMeter | ReadMeter, meter: Meter | None, context: CommandContext
) -> list[MeterInstalled | MeterRead]:
    """The event that the command brings about."""
    if isinstance(command, InstallMeter):
        if meter is not None:
            raise AlreadyExists("meter-exists", f"meter {meter.meter_id} has already been installed")
        return [MeterInstalled(context.aggregate_id, context.at)]
    if meter is None:
        raise NoSuchAggregate(f"there is no meter {context.aggregate_id}")
    if command.shows < meter.shows:
        raise RuleViolation("meter-fell", f"meter {meter.meter_id} showed {meter.shows} before")
    return [MeterRead(meter.meter_id, command.shows, command.shows - meter.shows)]


def evolve(meter: Meter | None, event: MeterInstalled | MeterRead) -> Meter:
    """The meter after the event."""
    if isinstance(event, MeterInstalled):
        return Meter(event.meter_id, event.installed_at)
    assert meter is not None
    return replace(meter, shows=event.shows, readings=meter.readings + 1)


METER = Aggregate(
    category="meter",
    plural="meters",
    state=Meter,
    commands=(
        CommandType(InstallMeter, "install", creates=True, summary="Install a meter", access=Access("meters:install")),
        CommandType(ReadMeter, "read", summary="Read a meter", access=Access("meters:read")),
    ),
    events=(EventType("MeterInstalled", 1, MeterInstalled), EventType("MeterRead", 1, MeterRead)),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({MeterInstalled}),
    snapshot_every=4,
    read_access=Access("meters:read"),
)
