"""The commands for the contract of one order. Fields and types only; `rules.py` says which values are allowed.

A customer signs or declines; everything else records what a step of the work has brought about.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Struct

from domain.documents.consent import CONSENT_VERSION, CONSENTS
from domain.model.currencies import CURRENCIES
from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN
from domain.model.money import MAX_AMOUNT
from domain.model.personal import PERSONAL_INPUT

MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 500
MAX_ADDRESS_LENGTH = 45
MAX_USER_AGENT_LENGTH = 500
MAX_LINES = 1_000
MAX_SIZE = 1 << 30
DIGEST_PATTERN = "^[0-9a-f]{64}$"

_Digest = Annotated[str, documented("SHA-256 of the document's bytes, in hexadecimal", pattern=DIGEST_PATTERN)]
_Size = Annotated[int, documented("Of the document, in bytes", minimum=1, maximum=MAX_SIZE)]
_Name = Annotated[str, documented_text("As it is written in the document", MAX_NAME_LENGTH), PERSONAL_INPUT]
_Reason = Annotated[str, documented_text("Why", MAX_TEXT_LENGTH)]
_Identifier = Annotated[str, documented("An id", pattern=IDENTIFIER_PATTERN)]


class ContractItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the order, as the contract shows it. Amounts are in minor units."""

    sku: str
    quantity: int
    unit_price: int
    discount: int
    total: int


class RequestContract(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the contract of an order that was confirmed, with all that it is to say."""

    customer_id: Annotated[str, documented("Whose contract it is", pattern=IDENTIFIER_PATTERN)]
    customer_name: _Name
    currency: Annotated[str, documented("ISO 4217 code", enum=sorted(CURRENCIES), examples=["USD"])]
    lines: Annotated[list[ContractItem], documented("The order's lines", minItems=1, maxItems=MAX_LINES)]
    total: Annotated[int, documented("In minor units", minimum=0, maximum=MAX_AMOUNT)]
    ordered_at: datetime
    confirmed_at: datetime


class RecordRendering(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the document was made, and by what."""

    document_sha256: _Digest
    size: _Size
    template: _Identifier
    template_version: Annotated[int, documented("Which version of the template made it", minimum=1)]
    renderer: Annotated[str, documented_text("The program that made it, with its version", MAX_NAME_LENGTH)]


class RequestSignature(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask the customer to sign the document."""

    document_sha256: _Digest
    expires_at: datetime


class SignContract(Struct, frozen=True, forbid_unknown_fields=True):
    """Sign the document: the customer's own word, which takes the typed name and the consent."""

    document_sha256: _Digest
    name: _Name
    consent: Annotated[bool, documented(f'To "{CONSENTS[CONSENT_VERSION]}"', const=True)]


class SignByLink(Struct, frozen=True, forbid_unknown_fields=True):
    """Sign the document for who came by the link that the customer was sent, and keep where the request came from."""

    document_sha256: _Digest
    name: _Name
    consent: Annotated[bool, documented("To the words of that version", const=True)]
    consent_version: Annotated[str, documented("Which words the customer has consented to", enum=sorted(CONSENTS))]
    address: Annotated[str, documented("The IP address, or empty", maxLength=MAX_ADDRESS_LENGTH), PERSONAL_INPUT]
    user_agent: Annotated[
        str, documented("What the browser says it is, or empty", maxLength=MAX_USER_AGENT_LENGTH), PERSONAL_INPUT
    ]


class SendToProvider(Struct, frozen=True, forbid_unknown_fields=True):
    """Have the customer sign at a signing provider, and no more here."""

    document_sha256: _Digest
    provider: _Identifier


class RecordSignature(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the customer has signed at the provider: the document with the signature, and the provider's record
    of how it came about, are kept already."""

    document_sha256: _Digest
    request_id: Annotated[str, documented_text("The provider's id of the request", MAX_NAME_LENGTH)]
    name: _Name
    signed_at: datetime
    signed_sha256: Annotated[str, documented("SHA-256 of the document with the signature", pattern=DIGEST_PATTERN)]
    size: Annotated[int, documented("Of the document with the signature, in bytes", minimum=1, maximum=MAX_SIZE)]
    certificate_sha256: Annotated[str, documented("SHA-256 of the signer's certificate", pattern=DIGEST_PATTERN)]
    audit_sha256: Annotated[str, documented("SHA-256 of the provider's audit trail", pattern=DIGEST_PATTERN)]


class DeclineContract(Struct, frozen=True, forbid_unknown_fields=True):
    """Refuse to sign."""

    reason: _Reason


class RemindToSign(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the customer is to be reminded, before the time to sign is over."""


class ExpireContract(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the time to sign is over."""


class WithdrawContract(Struct, frozen=True, forbid_unknown_fields=True):
    """Take the contract back before it is signed, such as when its order was cancelled."""

    reason: _Reason


class RecordSeal(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the signed document has its digital signature: another document, with bytes of its own."""

    document_sha256: _Digest
    sealed_sha256: _Digest
    size: _Size
    certificate_sha256: _Digest


class RecordNotice(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the customer was told of the step that the contract is at."""

    kind: _Identifier
    reference: Annotated[str, documented_text("What the channel calls the message", MAX_TEXT_LENGTH)]


class RecordCompletion(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the certificate of completion was made: the document that says who signed what, when and how."""

    document_sha256: _Digest
    completion_sha256: Annotated[str, documented("SHA-256 of the certificate of completion", pattern=DIGEST_PATTERN)]
    size: _Size
    template: _Identifier
    template_version: Annotated[int, documented("Which version of the template made it", minimum=1)]
    renderer: Annotated[str, documented_text("The program that made it, with its version", MAX_NAME_LENGTH)]


ContractCommand = (
    RequestContract
    | RecordRendering
    | RequestSignature
    | SignContract
    | SignByLink
    | SendToProvider
    | RecordSignature
    | DeclineContract
    | RemindToSign
    | ExpireContract
    | WithdrawContract
    | RecordSeal
    | RecordCompletion
    | RecordNotice
)
