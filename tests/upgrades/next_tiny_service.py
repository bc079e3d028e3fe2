"""The services over the next release of the tiny domain: `python -m tests.upgrades.next_tiny_service SERVICE`.

LampInstalled has a new version, with a colour that the view `lamp_details` shows from its version 2 on. ParcelSent has
a new version, too, but its view is as it was.
"""

import sys
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace

import command_api.main
import projector.main
import query_api.main
from domain.model.command_context import CommandContext
from domain.model.event_types import EventType
from domain.model.recorded_event import RecordedEvent
from infrastructure.application import Application
from tests.support.tiny import LAMP, LAMP_DETAILS, PARCEL, PARCEL_DAYS
from tests.support.tiny.lamp import LampInstalled, installed_1_to_2
from tests.support.tiny.lamp_details import LampDetails
from tests.support.tiny.lamp_details import fold as fold_lamp
from tests.support.tiny.parcel import ParcelSent

PLAIN = "white"


class ColouredLampInstalled(LampInstalled, frozen=True):
    """A lamp was installed, of some colour."""

    colour: str


class ParcelSentWithCare(ParcelSent, frozen=True):
    """A parcel is on its way; whether it may fall."""

    fragile: bool


class ColouredLamp(LampDetails, frozen=True, omit_defaults=True):
    """A lamp with its colour."""

    colour: str = ""


def decide_lamp(command: Any, lamp: Any, context: CommandContext) -> list[Struct]:
    """As before; lamps are white."""
    return [
        ColouredLampInstalled(*structs.astuple(event), PLAIN) if type(event) is LampInstalled else event
        for event in LAMP.decide(command, lamp, context)
    ]


def decide_parcel(command: Any, parcel: Any, context: CommandContext) -> list[Struct]:
    """As before; nothing is fragile."""
    return [
        ParcelSentWithCare(*structs.astuple(event), fragile=False) if type(event) is ParcelSent else event
        for event in PARCEL.decide(command, parcel, context)
    ]


def fold_coloured(lamp: ColouredLamp | None, recorded: RecordedEvent[Any]) -> ColouredLamp:
    """As before, with the colour."""
    if isinstance(recorded.event, ColouredLampInstalled):
        return ColouredLamp(**structs.asdict(fold_lamp(None, recorded)), colour=recorded.event.colour)
    folded = fold_lamp(lamp, recorded)
    assert isinstance(folded, ColouredLamp)
    return folded


def installed_2_to_3(event: dict[str, Any]) -> dict[str, Any]:
    """All lamps were white."""
    return {**event, "colour": PLAIN}


def sent_1_to_2(event: dict[str, Any]) -> dict[str, Any]:
    """Nobody had asked."""
    return {**event, "fragile": False}


NEXT_LAMP = replace(
    LAMP,
    events=(
        EventType("LampInstalled", 3, ColouredLampInstalled, {1: installed_1_to_2, 2: installed_2_to_3}),
        *LAMP.events[1:],
    ),
    decide=decide_lamp,
    begins_with=frozenset({ColouredLampInstalled}),
)
NEXT_PARCEL = replace(
    PARCEL,
    events=(EventType("ParcelSent", 2, ParcelSentWithCare, {1: sent_1_to_2}), *PARCEL.events[1:]),
    decide=decide_parcel,
    begins_with=frozenset({ParcelSentWithCare}),
)
NEXT_LAMP_DETAILS = replace(
    LAMP_DETAILS,
    version=2,
    document=ColouredLamp,
    events=LAMP_DETAILS.events - {LampInstalled} | {ColouredLampInstalled},
    fold=fold_coloured,
    begins_with=frozenset({ColouredLampInstalled}),
)
NEXT_PARCEL_DAYS = replace(PARCEL_DAYS, events=PARCEL_DAYS.events - {ParcelSent} | {ParcelSentWithCare})
NEXT = Application(aggregates=(NEXT_LAMP, NEXT_PARCEL), views=(NEXT_LAMP_DETAILS, NEXT_PARCEL_DAYS))

_MAINS = {
    "command-api": command_api.main.main,
    "projector": projector.main.main,
    "query-api": query_api.main.main,
}

if __name__ == "__main__":
    sys.exit(_MAINS[sys.argv[1]](NEXT))
