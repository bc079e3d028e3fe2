"""What each order's customer was told, and what could not be sent."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.notifications.events import NotificationEvent, NotificationFailed, NotificationRequested, NotificationSent
from domain.notifications.notifications import Status
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis


class Message(Struct, frozen=True, omit_defaults=True, gc=False):
    """The message of one kind. `attempts` is how often it was tried, `reason` why it could not be sent.

    Where it went is personal: the history alone says that, for as long as the customer is not forgotten.
    """

    kind: str
    channel: str
    template: str
    status: str
    requested_at: int
    attempts: int | None = None
    sent_at: int | None = None
    reference: str | None = None
    failed_at: int | None = None
    reason: str | None = None


class OrderNotifications(Struct, frozen=True, gc=False):
    """The messages about an order, in the order in which they were first requested. `status` is failed when one of them
    could not be sent, otherwise requested when one is still to be sent, otherwise sent.

    Times are epoch milliseconds. `version` is the stream's revision; `first_position` orders the list's pages.
    """

    order_id: str
    customer_id: str
    status: str
    messages: list[Message]
    updated_at: int
    version: int
    first_position: int


def keys(event: NotificationEvent) -> tuple[str, ...]:
    """The order's document."""
    return (event.order_id,)


def fold(notifications: OrderNotifications | None, recorded: RecordedEvent[NotificationEvent]) -> OrderNotifications:
    """The order's document after the event."""
    event = recorded.event
    if isinstance(event, NotificationRequested):
        return _requested(notifications, event, recorded)
    if notifications is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id} stands before its NotificationRequested")
    message = next((one for one in notifications.messages if one.kind == event.kind), None)
    if message is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id}: {event.kind} was never requested")
    match event:
        case NotificationSent():
            at = millis(event.sent_at)
            message = replace(
                message,
                status=Status.SENT,
                attempts=event.attempts,
                sent_at=at,
                reference=event.reference,
                failed_at=None,
                reason=None,
            )
        case NotificationFailed():
            at = millis(event.failed_at)
            message = replace(message, status=Status.FAILED, attempts=event.attempts, failed_at=at, reason=event.reason)
    return _with(notifications, message, at, recorded.revision)


def _requested(
    notifications: OrderNotifications | None,
    event: NotificationRequested,
    recorded: RecordedEvent[NotificationEvent],
) -> OrderNotifications:
    at = millis(event.requested_at)
    message = Message(event.kind, event.channel, event.template, Status.REQUESTED, at)
    if notifications is None:
        notifications = OrderNotifications(
            event.order_id, event.customer_id, Status.REQUESTED, [], at, recorded.revision, recorded.position
        )
    return _with(notifications, message, at, recorded.revision)


def _with(notifications: OrderNotifications, message: Message, at: int, revision: int) -> OrderNotifications:
    """The document with this message in the place of an earlier one of its kind, or at the end."""
    messages = notifications.messages
    if any(one.kind == message.kind for one in messages):
        messages = [message if one.kind == message.kind else one for one in messages]
    else:
        messages = [*messages, message]
    return replace(notifications, status=_status(messages), messages=messages, updated_at=at, version=revision)


def _status(messages: list[Message]) -> str:
    statuses = {message.status for message in messages}
    return next(one for one in (Status.FAILED, Status.REQUESTED, Status.SENT) if one in statuses)


NOTIFICATIONS = View(
    name="notifications",
    version=2,
    document=OrderNotifications,
    events=frozenset({NotificationRequested, NotificationSent, NotificationFailed}),
    keys=keys,
    fold=fold,
    indexes=(("first_position",), ("status", "first_position"), ("customer_id", "first_position")),
    per_stream=True,
    dropped_with="notification",
    begins_with=frozenset({NotificationRequested}),
    queries=(
        KeyQuery(
            path="/notifications/{notification_id}",
            operation="GetNotifications",
            access=Access("notifications:read", owner="customer_id"),
            summary="What an order's customer was told, and what could not be sent",
            description="The notifications of an order have the order's id. The `ETag` is the one for `If-Match`.",
            key=Parameter("notification_id", Identifier()),
            noun="notification for order",
            version_field="version",
            aggregate="notification",
        ),
        ListQuery(
            path="/notifications",
            operation="ListNotifications",
            access=Access("notifications:read", owner="customer_id"),
            summary="The orders with notifications, newest first",
            filters=(
                Parameter(
                    "status",
                    OneOf(tuple(status.value for status in Status)),
                    "failed: a message could not be sent; requested: one is still to be sent; sent: all are",
                ),
                Parameter("customer_id", Identifier(), "Only orders of this customer"),
            ),
            sort="first_position",
        ),
    ),
)
