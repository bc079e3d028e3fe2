"""A parcel: sent and delivered."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.command_context import CommandContext
from domain.model.errors import AlreadyExists, Fault, InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.event_types import EventType
from domain.model.identifiers import identifier_faults

MAX_GRAMS = 30_000


class SendParcel(Struct, frozen=True, forbid_unknown_fields=True):
    """Send a parcel."""

    recipient: str
    grams: int


class DeliverParcel(Struct, frozen=True, forbid_unknown_fields=True):
    """Deliver a parcel that is on its way."""


class ParcelSent(Struct, frozen=True):
    """A parcel is on its way."""

    parcel_id: str
    recipient: str
    grams: int
    sent_at: datetime


class ParcelDelivered(Struct, frozen=True):
    """The parcel has arrived; `sent_at` says to which day's figures that belongs."""

    parcel_id: str
    sent_at: datetime
    delivered_at: datetime


ParcelCommand = SendParcel | DeliverParcel
ParcelEvent = ParcelSent | ParcelDelivered


class Parcel(Struct, frozen=True):
    """What the rules need to remember of a parcel."""

    parcel_id: str
    recipient: str
    sent_at: datetime
    delivered: bool = False


def decide(command: ParcelCommand, parcel: Parcel | None, context: CommandContext) -> list[ParcelEvent]:
    """The event that the command brings about."""
    faults = identifier_faults(context.aggregate_id, "/parcel_id")
    if isinstance(command, SendParcel):
        return [_send(command, parcel, context, faults)]
    if faults:
        raise InvalidCommand(faults)
    if parcel is None:
        raise NoSuchAggregate(f"there is no parcel {context.aggregate_id}")
    if parcel.delivered:
        raise RuleViolation("parcel-not-on-its-way", f"parcel {parcel.parcel_id} has been delivered already")
    return [ParcelDelivered(parcel.parcel_id, parcel.sent_at, context.at)]


def _send(command: SendParcel, parcel: Parcel | None, context: CommandContext, faults: list[Fault]) -> ParcelSent:
    faults = faults + identifier_faults(command.recipient, "/recipient")
    if not 1 <= command.grams <= MAX_GRAMS:
        faults.append(Fault("/grams", f"must be 1 to {MAX_GRAMS}, not {command.grams}"))
    if faults:
        raise InvalidCommand(faults)
    if parcel is not None:
        raise AlreadyExists("parcel-exists", f"parcel {parcel.parcel_id} has already been sent")
    return ParcelSent(context.aggregate_id, command.recipient, command.grams, context.at)


def evolve(parcel: Parcel | None, event: ParcelEvent) -> Parcel:
    """The parcel after the event."""
    if isinstance(event, ParcelSent):
        return Parcel(event.parcel_id, event.recipient, event.sent_at)
    if parcel is None:
        raise ValueError(f"{type(event).__name__} of parcel {event.parcel_id} stands before its ParcelSent")
    return replace(parcel, delivered=True)


PARCEL = Aggregate(
    category="parcel",
    plural="parcels",
    state=Parcel,
    commands=(
        CommandType(SendParcel, "send", creates=True, summary="Send a parcel", access=Access("parcels:send")),
        CommandType(DeliverParcel, "deliver", summary="Deliver a parcel", access=Access("parcels:deliver")),
    ),
    events=(EventType("ParcelSent", 1, ParcelSent), EventType("ParcelDelivered", 1, ParcelDelivered)),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({ParcelSent}),
    owner="recipient",
    read_access=Access("parcels:read"),
)
