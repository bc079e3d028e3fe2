"""The commands for the notifications of one order. Fields and types only; `rules.py` says which values are allowed.

A notification is one message of a kind, such as `order-confirmed`; an order has at most one of each kind.
"""

from typing import Annotated

from msgspec import Meta, Struct

from domain.model.identifiers import IDENTIFIER_PATTERN, TEXT_PATTERN

CHANNELS = ("mail",)
MAX_RECIPIENT_LENGTH = 320
MAX_REFERENCE_LENGTH = 500
MAX_REASON_LENGTH = 500
MAX_ATTEMPTS = 1_000_000


# As for orders, the limits in the schema are for readers of the OpenAPI page; rules.py enforces them.
def _documented(description: str, **schema: object) -> Meta:
    return Meta(description=description, extra_json_schema=dict(schema))


def _text(description: str, longest: int) -> Meta:
    return _documented(description, minLength=1, maxLength=longest, pattern=TEXT_PATTERN)


_Kind = Annotated[str, _documented("Which message", pattern=IDENTIFIER_PATTERN, examples=["order-confirmed"])]
_Attempts = Annotated[int, _documented("How often it was tried", minimum=1, maximum=MAX_ATTEMPTS)]


class RequestNotification(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a customer to be told something; once more where it could not be sent before."""

    kind: _Kind
    customer_id: Annotated[str, _documented("Who is told", pattern=IDENTIFIER_PATTERN)]
    channel: Annotated[str, _documented("By which way", enum=list(CHANNELS))]
    recipient: Annotated[str, _text("The address there", MAX_RECIPIENT_LENGTH)]
    template: Annotated[str, _documented("Which text it is made of", pattern=IDENTIFIER_PATTERN)]


class RecordSent(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the message was handed over for delivery."""

    kind: _Kind
    reference: Annotated[str, _text("What the channel calls the message", MAX_REFERENCE_LENGTH)]
    attempts: _Attempts = 1


class RecordSendFailure(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the message could not be sent."""

    kind: _Kind
    reason: Annotated[str, _text("Why", MAX_REASON_LENGTH)]
    attempts: _Attempts = 1


NotificationCommand = RequestNotification | RecordSent | RecordSendFailure
