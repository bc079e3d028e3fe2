"""The commands for the notifications of one order. Fields and types only; `rules.py` says which values are allowed.

A notification is one message of a kind, such as `order-confirmed`; an order has at most one of each kind.
"""

from typing import Annotated

from msgspec import Struct

from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN
from domain.model.personal import PERSONAL_INPUT

CHANNELS = ("mail",)
MAX_RECIPIENT_LENGTH = 320
MAX_REFERENCE_LENGTH = 500
MAX_REASON_LENGTH = 500
MAX_ATTEMPTS = 1_000_000


_Kind = Annotated[str, documented("Which message", pattern=IDENTIFIER_PATTERN, examples=["order-confirmed"])]
_Attempts = Annotated[int, documented("How often it was tried", minimum=1, maximum=MAX_ATTEMPTS)]


class RequestNotification(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a customer to be told something; once more where it could not be sent before."""

    kind: _Kind
    customer_id: Annotated[str, documented("Who is told", pattern=IDENTIFIER_PATTERN)]
    channel: Annotated[str, documented("By which way", enum=list(CHANNELS))]
    recipient: Annotated[str, documented_text("The address there", MAX_RECIPIENT_LENGTH), PERSONAL_INPUT]
    template: Annotated[str, documented("Which text it is made of", pattern=IDENTIFIER_PATTERN)]


class RecordSent(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the message was handed over for delivery."""

    kind: _Kind
    reference: Annotated[str, documented_text("What the channel calls the message", MAX_REFERENCE_LENGTH)]
    attempts: _Attempts = 1


class RecordSendFailure(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the message could not be sent."""

    kind: _Kind
    reason: Annotated[str, documented_text("Why", MAX_REASON_LENGTH)]
    attempts: _Attempts = 1


NotificationCommand = RequestNotification | RecordSent | RecordSendFailure
