"""Every kind of difference between our contracts and the provider's requests, by itself."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from domain.documents.contract import Contract, Status
from domain.documents.events import ContractSigned
from infrastructure.outside.signatures import Signature
from ops.documents.comparison import OurContract, compare

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DIGEST, SIGNED_DIGEST = "a" * 64, "b" * 64
SIGNED = ContractSigned("o-1", "ada", DIGEST, "Ada", NOON, "provider", "", "", "", SIGNED_DIGEST, "e" * 64, "sig_1")


def ours(status: Status, provider: str = "sandbox") -> dict[str, OurContract]:
    contract = Contract("o-1", "ada", status, DIGEST, NOON, provider)
    return {"o-1": OurContract(contract, SIGNED if status in (Status.SIGNED, Status.SEALED) else None)}


def theirs(status: Any = "open", **values: Any) -> Signature:
    signed = SIGNED_DIGEST if status == "completed" else ""
    return replace(Signature("sig_1", "o-1", DIGEST, "Ada", status, NOON, "", NOON, signed), **values)


CASES: list[tuple[dict[str, OurContract], list[Signature], list[tuple[str, str | None]]]] = [
    ({}, [theirs()], [("unknown-request", None)]),
    (ours(Status.TO_SIGN, ""), [], []),
    (ours(Status.TO_SIGN, ""), [theirs()], [("unknown-request", None)]),
    (ours(Status.TO_SIGN), [], [("request-missing", None)]),
    (ours(Status.SEALED), [], [("request-missing", None)]),
    (ours(Status.WITHDRAWN), [], []),
    (ours(Status.TO_SIGN), [theirs()], []),
    (ours(Status.TO_SIGN), [theirs(document_sha256="c" * 64)], [("another-document", None), ("request-missing", None)]),
    (ours(Status.TO_SIGN), [theirs("completed")], [("signature-missed", "record")]),
    (ours(Status.EXPIRED), [theirs("completed")], [("signature-missed", "record")]),
    (ours(Status.TO_SIGN), [theirs("declined")], [("decline-missed", "record")]),
    (ours(Status.TO_SIGN), [theirs("expired")], [("expiry-missed", "record")]),
    (ours(Status.TO_SIGN), [theirs("cancelled")], [("cancel-missed", "record")]),
    (ours(Status.WITHDRAWN), [theirs()], [("left-open", "cancel")]),
    (ours(Status.DECLINED), [theirs()], [("left-open", "cancel")]),
    (ours(Status.WITHDRAWN), [theirs("completed")], [("signed-though-ended", None)]),
    (ours(Status.DECLINED), [theirs("completed")], [("signed-though-ended", None)]),
    (ours(Status.SEALED), [theirs("completed")], []),
    (ours(Status.SEALED), [theirs("completed", signed_sha256="c" * 64)], [("signed-document-differs", None)]),
    (ours(Status.SEALED), [theirs("completed", request_id="sig_2")], [("signed-document-differs", None)]),
    (ours(Status.SEALED), [theirs()], [("signature-missing", None)]),
    (ours(Status.SEALED), [theirs("declined")], [("signature-missing", None)]),
    (ours(Status.WITHDRAWN), [theirs("cancelled")], []),
    (ours(Status.WITHDRAWN), [theirs("declined")], []),
    (ours(Status.EXPIRED), [theirs("expired")], []),
]


@pytest.mark.parametrize(("contracts", "requests", "expected"), CASES)
def test_each_difference_has_its_name(
    contracts: dict[str, OurContract], requests: list[Signature], expected: list[tuple[str, str | None]]
) -> None:
    assert [(one.kind, one.mend) for one in compare(contracts, requests)] == expected
