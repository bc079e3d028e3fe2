"""A process over the tiny domain: while a parcel is on its way to somebody, the lamp of that name is on."""

from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.model.event_types import EventType
from domain.model.process import Answer, Command, Decision, Process, ProcessContext, Timer, TimerDue
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from tests.support.tiny.lamp import LAMP, SwitchLampOff, SwitchLampOn
from tests.support.tiny.parcel import PARCEL, ParcelDelivered, ParcelSent

PATIENCE = timedelta(hours=1)


class PorchLit(Struct, frozen=True):
    """Somebody waits for a parcel by this lamp."""

    parcel_id: str
    lamp_id: str


class WaitOver(Struct, frozen=True):
    """The lamp is not needed any more."""

    parcel_id: str
    why: str


class Porch(Struct, frozen=True):
    """`lit` says whether the lamp was switched on for it."""

    parcel_id: str
    lamp_id: str
    lit: bool = False
    over: str = ""


class LampLit(Struct, frozen=True):
    """The lamp is on."""

    parcel_id: str


def decide(trigger: Any, porch: Porch | None, context: ProcessContext) -> Decision:
    if isinstance(trigger, ParcelSent):
        if trigger.recipient == "nobody":
            raise ValueError("nobody has no lamp")
        return Decision(
            events=[PorchLit(trigger.parcel_id, trigger.recipient)],
            commands=[Command("on", "lamp", trigger.recipient, SwitchLampOn())],
            timers=[Timer("patience", context.at + PATIENCE)],
        )
    assert porch is not None
    match trigger:
        case ParcelDelivered():
            return Decision() if porch.over else _over(porch, "delivered", context)
        case TimerDue(name="patience"):
            return Decision() if porch.over else _over(porch, "waited", context)
        case Answer(step="on", accepted=True):
            lit = LampLit(porch.parcel_id)
            return Decision(events=[lit], commands=_off(porch) if porch.over else ())
        case Answer(step="on"):
            return Decision(ended="dark")
        case Answer(step="off"):
            return Decision(ended=porch.over)
    raise ValueError(trigger)


def _over(porch: Porch, why: str, context: ProcessContext) -> Decision:
    commands = _off(porch) if porch.lit else ()
    over = [WaitOver(porch.parcel_id, why)]
    return Decision(events=over, commands=commands, cancelled_timers=["patience"])


def _off(porch: Porch) -> list[Command]:
    return [
        Command("off", "lamp", porch.lamp_id, SwitchLampOff(), compensation=True, satisfied_by=frozenset({"not-found"}))
    ]


def evolve(porch: Porch | None, event: PorchLit | LampLit | WaitOver) -> Porch:
    if isinstance(event, PorchLit):
        return Porch(event.parcel_id, event.lamp_id)
    assert porch is not None
    return replace(porch, lit=True) if isinstance(event, LampLit) else replace(porch, over=event.why)


def _parcel(event: ParcelSent | ParcelDelivered) -> str:
    return event.parcel_id


PORCH_LIGHT = Process(
    name="porch_light",
    version=1,
    state=Porch,
    events=(
        EventType("PorchLit", 1, PorchLit),
        EventType("LampLit", 1, LampLit),
        EventType("WaitOver", 1, WaitOver),
    ),
    starts={ParcelSent: _parcel},
    reacts={ParcelDelivered: _parcel},
    decide=decide,
    evolve=evolve,
)

PORCHES = Application(aggregates=(LAMP, PARCEL), processes=(PORCH_LIGHT,))
PORCH_CODEC = EventCodec(PORCHES.aggregates, PORCHES.processes)
