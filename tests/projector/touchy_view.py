"""A view with all that the tiny domain's lack: several keys an event, deletion, and folds and keys that raise."""

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from read_models.model.view import View
from tests.support.tiny.lamp import LampEvent, LampInstalled, LampSwitchedOff, LampSwitchedOn


class Tally(Struct, frozen=True):
    """Not commutative, so that any event left out, repeated or out of order shows."""

    events: int
    digest: int


def keys(event: LampEvent) -> tuple[str, ...]:
    if isinstance(event, LampInstalled) and event.watts % 17 == 0:
        raise LookupError("no keys for watts that 17 divides")
    group = f"g{ord(event.lamp_id[-1]) % 4}"
    return (group, "everybody", f"{group}:{event.lamp_id[-1]}")


def fold(tally: Tally | None, recorded: RecordedEvent[LampEvent]) -> Tally | None:
    event = recorded.event
    if isinstance(event, LampInstalled) and event.watts % 7 == 0 and tally is not None and tally.events % 2:
        raise ValueError("watts that 7 divides, at an odd place")
    if isinstance(event, LampSwitchedOff):
        return None
    before = Tally(0, 1) if tally is None else tally
    return Tally(before.events + 1, (before.digest * 31 + recorded.position) % 1_000_003)


TOUCHY = View("touchy", 3, Tally, frozenset({LampInstalled, LampSwitchedOn, LampSwitchedOff}), keys, fold)
