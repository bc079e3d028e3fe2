"""The contract of an order to test with: its events in a chain."""

from datetime import timedelta

from msgspec import Struct

from domain.documents.events import (
    ContractCompleted,
    ContractCustomerNotified,
    ContractDeclined,
    ContractExpired,
    ContractLine,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSentToProvider,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from tests.support.decider import NOON

DIGEST = "a" * 64
SEALED_DIGEST = "b" * 64
CERTIFICATE = "c" * 64
LATER = NOON + timedelta(days=14)

LINES = [ContractLine("apple", 3, 50, 10, 140), ContractLine("bread", 1, 299, 0, 299)]
REQUESTED = ContractRequested("o-1", "ada", "Ada Lovelace", "USD", LINES, 439, NOON, NOON, NOON)
RENDERED = ContractRendered("o-1", "ada", DIGEST, 9_000, "order-contract", 1, "typst 0.15.2", NOON)
TO_SIGN = SignatureRequested("o-1", "ada", DIGEST, LATER, NOON)
REMINDED = SignatureReminded("o-1", "ada", DIGEST, LATER, NOON)
SIGNED = ContractSigned("o-1", "ada", DIGEST, "Ada Lovelace", NOON, "api", "1", "", "")
SENT = ContractSentToProvider("o-1", "ada", DIGEST, "sandbox", LATER, NOON)
DECLINED = ContractDeclined("o-1", "ada", DIGEST, "too dear", NOON)
EXPIRED = ContractExpired("o-1", "ada", DIGEST, NOON)
WITHDRAWN = ContractWithdrawn("o-1", "ada", DIGEST, "the order was cancelled", NOON)
SEALED = ContractSealed("o-1", "ada", DIGEST, SEALED_DIGEST, 20_000, CERTIFICATE, NOON)
COMPLETION_DIGEST = "d" * 64
COMPLETED = ContractCompleted(
    "o-1", "ada", DIGEST, COMPLETION_DIGEST, 30_000, "order-completion", 1, "typst 0.15.2", NOON
)
NOTIFIED = ContractCustomerNotified("o-1", "ada", DIGEST, "contract-to-sign", "<1@shop>", NOON)

HISTORIES: dict[str, list[Struct]] = {
    "requested": [REQUESTED],
    "rendered": [REQUESTED, RENDERED],
    "to_sign": [REQUESTED, RENDERED, TO_SIGN],
    "signed": [REQUESTED, RENDERED, TO_SIGN, SIGNED],
    "declined": [REQUESTED, RENDERED, TO_SIGN, DECLINED],
    "expired": [REQUESTED, RENDERED, TO_SIGN, EXPIRED],
    "withdrawn": [REQUESTED, RENDERED, TO_SIGN, WITHDRAWN],
    "sealed": [REQUESTED, RENDERED, TO_SIGN, SIGNED, SEALED],
}
"""By the status that it leads to."""
EVENTS: list[Struct] = [
    *(event for history in HISTORIES.values() for event in history),
    SENT,
    REMINDED,
    COMPLETED,
    NOTIFIED,
]
"""At least one of every type."""
