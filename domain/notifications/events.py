"""What has happened to the notifications of one order. Times are aware and in UTC."""

from datetime import datetime
from typing import Annotated

from msgspec import Struct

from domain.model.personal import Personal


class NotificationRequested(Struct, frozen=True, gc=False):
    """A customer is to be told something."""

    order_id: str
    customer_id: str
    kind: str
    channel: str
    recipient: Annotated[str, Personal("customer", "customer_id")]
    template: str
    requested_at: datetime


class NotificationSent(Struct, frozen=True, gc=False):
    """The message was handed over for delivery; `reference` is what the channel calls it."""

    order_id: str
    kind: str
    reference: str
    attempts: int
    sent_at: datetime


class NotificationFailed(Struct, frozen=True, gc=False):
    """The message could not be sent."""

    order_id: str
    kind: str
    reason: str
    attempts: int
    failed_at: datetime


NotificationEvent = NotificationRequested | NotificationSent | NotificationFailed
