"""The services over a later version of the tiny domain: `python -m tests.support.tiny_mended_service <service>`.

Version 3 of LampInstalled, which the tiny domain can't read, called the watts `power`; this one is version 4, with an
upcaster. It also knows LampExploded, which is of no view.
"""

import sys
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

import projector.main
from domain.model.event_types import EventType
from infrastructure.application import Application
from tests.support.tiny import LAMP, PARCEL, TINY
from tests.support.tiny.lamp import LampInstalled, installed_1_to_2


class LampExploded(Struct, frozen=True):
    """Nothing is left of it."""

    lamp_id: str


def unchanged(event: dict[str, Any]) -> dict[str, Any]:
    """Version 3 gave the watts another name, and nothing else."""
    return {**event, "power": event["watts"]}


def installed_3_to_4(event: dict[str, Any]) -> dict[str, Any]:
    """Version 4 calls them watts again."""
    return {**event, "watts": event["power"]}


MENDED_LAMP = replace(
    LAMP,
    events=(
        EventType("LampInstalled", 4, LampInstalled, {1: installed_1_to_2, 2: unchanged, 3: installed_3_to_4}),
        *LAMP.events[1:],
        EventType("LampExploded", 1, LampExploded),
    ),
)
MENDED = Application(aggregates=(MENDED_LAMP, PARCEL), views=TINY.views)


if __name__ == "__main__":
    assert sys.argv[1] == "projector"
    sys.exit(projector.main.main(MENDED))
