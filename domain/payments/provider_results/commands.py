"""The commands for what the provider told about one reference."""

from typing import Annotated

from msgspec import Struct

from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN
from domain.payments.commands import MAX_TEXT_LENGTH

MAX_BODY_LENGTH = 65_536
MAX_KIND_LENGTH = 64


_ResultId = Annotated[str, documented("The provider's id of what it told", pattern=IDENTIFIER_PATTERN)]
_Detail = Annotated[str, documented_text("What differs", MAX_TEXT_LENGTH)]


class KeepResult(Struct, frozen=True, forbid_unknown_fields=True):
    """Keep what the provider told, before anything is made of it.

    `kind` is `charge.succeeded`, `charge.declined`, `refund.succeeded` or `refund.failed`; any other is kept and
    ignored, with empty fields. `amount` is what was charged or given back; `charged` is the whole charge, of which a
    refund may be a part. `body` is the message as it came, for people.
    """

    result_id: _ResultId
    kind: Annotated[str, documented_text("What happened", MAX_KIND_LENGTH)]
    charge_id: str = ""
    refund_id: str = ""
    currency: str = ""
    amount: int = 0
    charged: int = 0
    reason: str = ""
    body: Annotated[str, documented("The message as it came", maxLength=MAX_BODY_LENGTH)] = ""


class RecordMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the payment says what the provider told."""

    result_id: _ResultId


class RecordMissingPayment(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that there is no payment yet that this is about; it is matched when there is one."""

    result_id: _ResultId


class RecordMismatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the payment contradicts what the provider told; people must look at it."""

    result_id: _ResultId
    detail: _Detail


class OfferAgain(Struct, frozen=True, forbid_unknown_fields=True):
    """Have what found no payment matched again: there is one now."""


ProviderResultCommand = KeepResult | RecordMatch | RecordMissingPayment | RecordMismatch | OfferAgain
