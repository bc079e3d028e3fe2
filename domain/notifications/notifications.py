"""The notifications of an order: their state, what it decides on a command, and how an event changes it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.notifications.commands import NotificationCommand, RecordSendFailure, RecordSent, RequestNotification
from domain.notifications.events import NotificationEvent, NotificationFailed, NotificationRequested, NotificationSent
from domain.notifications.rules import check

MAX_KINDS = 100


class Status(StrEnum):
    REQUESTED = "requested"
    SENT = "sent"
    FAILED = "failed"


class Notifications(Struct, frozen=True):
    """How far the message of each kind has come."""

    order_id: str
    messages: Mapping[str, Status] = {}


def decide(
    command: NotificationCommand, notifications: Notifications | None, context: CommandContext
) -> list[NotificationEvent]:
    """The event that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when what was sent before forbids it,
    NoSuchAggregate when nothing was requested for the order and the command is not RequestNotification.
    """
    check(command, context)
    if isinstance(command, RequestNotification):
        return [_request(command, notifications or Notifications(context.aggregate_id), context)]
    if notifications is None:
        raise NoSuchAggregate(f"no notification was requested for order {context.aggregate_id}")
    order_id, at = notifications.order_id, context.at
    match command:
        case RecordSent(kind, reference, attempts):
            # A message whose sending looked like a failure may have gone out all the same.
            _require(notifications, kind, "recorded as sent", Status.REQUESTED, Status.FAILED)
            return [NotificationSent(order_id, kind, reference, attempts, at)]
        case RecordSendFailure(kind, reason, attempts):
            _require(notifications, kind, "recorded as failed", Status.REQUESTED)
            return [NotificationFailed(order_id, kind, reason, attempts, at)]


def _request(
    command: RequestNotification, notifications: Notifications, context: CommandContext
) -> NotificationRequested:
    if command.kind not in notifications.messages and len(notifications.messages) >= MAX_KINDS:
        detail = f"order {notifications.order_id} has {MAX_KINDS} kinds of notifications, and no more can be requested"
        raise RuleViolation("too-many-notifications", detail)
    if command.kind in notifications.messages:
        _require(notifications, command.kind, "requested again", Status.FAILED)
    return NotificationRequested(
        order_id=notifications.order_id,
        customer_id=command.customer_id,
        kind=command.kind,
        channel=command.channel,
        recipient=command.recipient,
        template=command.template,
        requested_at=context.at,
    )


def _require(notifications: Notifications, kind: str, becoming: str, *allowed: Status) -> None:
    status = notifications.messages.get(kind)
    if status is None:
        detail = f"notification {kind} was never requested for order {notifications.order_id}"
        raise RuleViolation("notification-not-requested", detail)
    if status not in allowed:
        detail = (
            f"notification {kind} of order {notifications.order_id} is {status}; only one that is "
            f"{' or '.join(allowed)} can be {becoming}"
        )
        raise RuleViolation(f"notification-is-{status}", detail)


def evolve(notifications: Notifications | None, event: NotificationEvent) -> Notifications:
    """The order's notifications after the event."""
    match event:
        case NotificationRequested():
            return _with(notifications or Notifications(event.order_id), event.kind, Status.REQUESTED)
        case NotificationSent():
            status = Status.SENT
        case NotificationFailed():
            status = Status.FAILED
    if notifications is None:
        raise ValueError(
            f"{type(event).__name__} stands before NotificationRequested in the stream of {event.order_id}"
        )
    return _with(notifications, event.kind, status)


def _with(notifications: Notifications, kind: str, status: Status) -> Notifications:
    return replace(notifications, messages={**notifications.messages, kind: status})
