"""The notifications of an order as the other layers see them: their commands, their events and the versions of those.

One stream an order, under the order's id: two messages of one kind then can't race, and who deletes the stream has
deleted every address in it.
"""

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType
from domain.notifications.commands import RecordSendFailure, RecordSent, RequestNotification
from domain.notifications.events import NotificationFailed, NotificationRequested, NotificationSent
from domain.notifications.notifications import Notifications, decide, evolve
from domain.notifications.upcasters import notification_requested_1_to_2

NOTIFICATION = Aggregate(
    category="notification",
    plural="notifications",
    state=Notifications,
    commands=(
        CommandType(
            RequestNotification,
            "request",
            summary="Ask for a customer to be told something",
            access=Access("notifications:request"),
        ),
        CommandType(
            RecordSent,
            "record-sent",
            summary="Record that the message was handed over for delivery",
            access=Access("notifications:record-sent"),
        ),
        CommandType(
            RecordSendFailure,
            "record-failure",
            summary="Record that the message could not be sent",
            access=Access("notifications:record-failure"),
        ),
    ),
    events=(
        EventType("NotificationRequested", 2, NotificationRequested, {1: notification_requested_1_to_2}),
        EventType("NotificationSent", 1, NotificationSent),
        EventType("NotificationFailed", 1, NotificationFailed),
    ),
    decide=decide,
    evolve=evolve,
    read_access=Access("notifications:read"),
)
