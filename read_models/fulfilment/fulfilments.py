"""The fulfilment of each order, made of its process's stream: every step with its times, what it waits for, and whether
somebody must see to it."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.process_events import (
    CommandAnswered,
    CommandIssued,
    CompensationFailed,
    CompensationResolved,
    CompensationRetried,
    ProcessEnded,
    ProcessTriggered,
    TimerCancelled,
    TimerFired,
    TimerSet,
)
from domain.model.recorded_event import RecordedEvent
from domain.processes.order_fulfilment.events import (
    FULFILMENT_EVENTS,
    FulfilmentFailed,
    FulfilmentOrderChanged,
    FulfilmentStarted,
)
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.public_fields import PublicFields
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis

PROCESS = "order_fulfilment"

RESERVING, CHARGING, CONFIRMING, CONFIRMED = "reserving", "charging", "confirming", "confirmed"
SHIPPING_OUT, UNDOING, STUCK = "shipping_out", "undoing", "stuck"
STATUSES = (RESERVING, CHARGING, CONFIRMING, CONFIRMED, SHIPPING_OUT, UNDOING, STUCK, "fulfilled", "cancelled")
_PHASES = {"reserve": RESERVING, "charge": CHARGING, "confirm": CONFIRMING, "ship-out": SHIPPING_OUT}


class FulfilmentStep(Struct, frozen=True, omit_defaults=True, gc=False):
    """One command. `state` is open, accepted, refused, failed (an operator must see to it) or resolved (one has).
    `code` and `detail` say why it was refused; times are in epoch milliseconds."""

    step: str
    command: str
    compensation: bool
    state: str
    issued_at: int
    answered_at: int | None = None
    attempts: int | None = None
    code: str | None = None
    detail: str | None = None


class FulfilmentTimer(Struct, frozen=True, gc=False):
    """Something that is to happen at `due_at`, in epoch milliseconds."""

    name: str
    due_at: int


class FulfilmentDocument(Struct, frozen=True, omit_defaults=True):
    """`phase` is how far it is, `status` the same unless it is stuck. `reason` is why it is undone. Times are in epoch
    milliseconds; `version` is the revision of the process's stream, `started_position` orders the list's pages."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    status: str
    phase: str
    steps: list[FulfilmentStep]
    timers: list[FulfilmentTimer]
    started_at: int
    updated_at: int
    version: int
    started_position: int
    reason: str | None = None
    ended_at: int | None = None


def keys(event: Any) -> tuple[str, ...]:
    """The document of the order."""
    if type(event) in _OWN:
        return (event.order_id,)
    return (event.instance,) if event.process == PROCESS else ()


def fold(document: FulfilmentDocument | None, recorded: RecordedEvent[Any]) -> FulfilmentDocument:
    """The document after the event."""
    event = recorded.event
    at = millis(event.at)
    if document is None:
        if recorded.revision > 0 or not isinstance(event, ProcessTriggered):
            raise ValueError(f"the stream of the fulfilment of {keys(event)[0]} has lost its beginning")
        return FulfilmentDocument(event.instance, "", "", 0, RESERVING, RESERVING, [], [], at, at, 0, recorded.position)
    changed = _changed(document, event, at)
    failed = any(step.state == "failed" for step in changed.steps)
    status = STUCK if failed else changed.phase
    return replace(changed, status=status, updated_at=at, version=recorded.revision)


def _changed(document: FulfilmentDocument, event: Any, at: int) -> FulfilmentDocument:
    match event:
        case FulfilmentStarted():
            return replace(document, customer_id=event.customer_id, currency=event.currency, total=event.total)
        case FulfilmentFailed():
            return replace(document, phase=UNDOING, reason=event.reason)
        case FulfilmentOrderChanged(status="confirmed") if document.phase != UNDOING:
            return replace(document, phase=CONFIRMED)
        case CommandIssued():
            step = FulfilmentStep(event.step, event.command, event.compensation, "open", at)
            phase = document.phase if document.phase == UNDOING else _phase(event.step, document.phase)
            return replace(document, steps=[*document.steps, step], phase=phase)
        case CommandAnswered():
            state = "accepted" if event.accepted else "refused"
            return _with_step(
                document,
                event.command,
                state=state,
                answered_at=at,
                attempts=event.attempts,
                code=event.code or None,
                detail=event.detail or None,
            )
        case CompensationFailed():
            return _with_step(document, event.command, state="failed", code=event.code, detail=event.detail)
        case CompensationRetried():
            return _without_failure(_with_step(document, event.command, state="open"), event.step, "refused")
        case CompensationResolved():
            return _without_failure(document, event.step, "resolved")
        case TimerSet():
            timer = FulfilmentTimer(event.name, millis(event.due_at))
            return replace(document, timers=[*_others(document, event.name), timer])
        case TimerCancelled() | TimerFired():
            return replace(document, timers=_others(document, event.name))
        case ProcessEnded():
            return replace(document, phase=event.outcome, timers=[], ended_at=at)
        case ProcessTriggered() if document.ended_at is not None:
            return replace(document, phase=UNDOING, ended_at=None)
    return document


def _phase(step: str, before: str) -> str:
    return _PHASES.get(step.partition(":")[0], before)


def _with_step(document: FulfilmentDocument, command: str, **changes: Any) -> FulfilmentDocument:
    steps = [replace(step, **changes) if step.command == command else step for step in document.steps]
    return replace(document, steps=steps)


def _without_failure(document: FulfilmentDocument, step: str, state: str) -> FulfilmentDocument:
    steps = [replace(one, state=state) if one.step == step and one.state == "failed" else one for one in document.steps]
    return replace(document, steps=steps)


def _others(document: FulfilmentDocument, timer: str) -> list[FulfilmentTimer]:
    return [one for one in document.timers if one.name != timer]


_OWN: frozenset[type[Struct]] = frozenset(one.struct for one in FULFILMENT_EVENTS)
_OF_EVERY_PROCESS: frozenset[type[Struct]] = frozenset(
    {
        *(ProcessTriggered, CommandIssued, CommandAnswered, CompensationFailed, CompensationRetried),
        *(CompensationResolved, TimerSet, TimerCancelled, TimerFired, ProcessEnded),
    }
)

FULFILMENTS = View(
    name="fulfilments",
    version=1,
    document=FulfilmentDocument,
    events=_OWN | _OF_EVERY_PROCESS,
    keys=keys,
    fold=fold,
    indexes=(("started_position",), ("status", "started_position"), ("customer_id", "started_position")),
    per_stream=True,
    queries=(
        KeyQuery(
            path="/fulfilments/{order_id}",
            operation="GetFulfilment",
            access=Access("fulfilments:read"),
            summary="The fulfilment of one order: every step and its times",
            key=Parameter("order_id", Identifier()),
            noun="fulfilment",
        ),
        ListQuery(
            path="/fulfilments",
            operation="ListFulfilments",
            access=Access("fulfilments:read"),
            summary="Fulfilments, newest first",
            description="`status=stuck` gives those that somebody must see to.",
            filters=(
                Parameter("status", OneOf(STATUSES), "Only fulfilments with this status"),
                Parameter("customer_id", Identifier(), "Only fulfilments of this customer's orders"),
            ),
            sort="started_position",
        ),
    ),
    public=PublicFields(left_out=("phase",)),
)
