"""A tiny domain with two persons in one event, and with marks of an older schema version."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.event_types import EventType
from domain.model.personal import Personal


class Note(Struct, frozen=True):
    """What stands on the card."""

    text: str
    lines: list[str]


class GiftSent(Struct, frozen=True):
    """Version 2: version 1 had the giver's name in two fields."""

    gift_id: str
    giver_id: str
    taker_id: str
    giver_name: Annotated[str, Personal("person", "giver_id", begins=True)]
    taker_name: Annotated[str, Personal("person", "taker_id")]
    note: Annotated[Note | None, Personal("person", "giver_id", redacted=None)]
    grams: int
    sent_at: datetime


class GiftLost(Struct, frozen=True):
    """Nothing in it is personal."""

    gift_id: str


def one_name(fields: dict[str, Any]) -> dict[str, Any]:
    """From version 1."""
    fields["giver_name"] = f"{fields.pop('first')} {fields.pop('last')}"
    return fields


_V1 = {
    "first": Personal("person", "giver_id"),
    "last": Personal("person", "giver_id", redacted="-"),
    "taker_name": Personal("person", "taker_id"),
}

GIFT = Aggregate(
    category="gift",
    plural="gifts",
    state=Note,
    commands=(),
    events=(EventType("GiftSent", 2, GiftSent, {1: one_name}, {1: _V1}), EventType("GiftLost", 1, GiftLost)),
    decide=lambda command, state, context: [],
    evolve=lambda state, event: Note("", []),
)
