"""The commands for what the signing provider told about one reference."""

from typing import Annotated, Literal

from msgspec import Struct

from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN

MAX_BODY_LENGTH = 65_536
MAX_KIND_LENGTH = 64
MAX_REQUEST_ID_LENGTH = 200
MAX_DETAIL_LENGTH = 500

Outcome = Literal["matched", "mismatched", "without_contract"]

_ResultId = Annotated[str, documented("The provider's id of what it told", pattern=IDENTIFIER_PATTERN)]


class KeepSignatureResult(Struct, frozen=True, forbid_unknown_fields=True):
    """Keep what the provider told, before anything is made of it.

    `kind` is `request.viewed`, `request.completed`, `request.declined` or `request.expired`; any other is kept and
    ignored. `body` is the message as it came, for people.
    """

    result_id: _ResultId
    kind: Annotated[str, documented_text("What happened", MAX_KIND_LENGTH)]
    request_id: str = ""
    body: Annotated[str, documented("The message as it came", maxLength=MAX_BODY_LENGTH)] = ""


class RecordSignatureOutcome(Struct, frozen=True, forbid_unknown_fields=True):
    """Record how the contract took it: it says the same now, it contradicts, or there is no such contract yet."""

    result_id: _ResultId
    outcome: Annotated[Outcome, documented("How the contract took it")]
    detail: Annotated[str, documented("What differs", maxLength=MAX_DETAIL_LENGTH)] = ""


class OfferSignatureResults(Struct, frozen=True, forbid_unknown_fields=True):
    """Have what found no contract matched again: there is one now."""


SignatureResultCommand = KeepSignatureResult | RecordSignatureOutcome | OfferSignatureResults
