"""The contract of an order as dashboards see it, by examples."""

from typing import Any

import pytest

from domain.model.recorded_event import RecordedEvent
from read_models.documents.contracts import CONTRACTS
from tests.read_models.given import Given
from tests.support.contracts import CERTIFICATE, DIGEST, HISTORIES, NOTIFIED, REMINDED, RENDERED, SEALED_DIGEST, SENT

NOON_MS = 1_773_489_600_000
LATER_MS = NOON_MS + 14 * 86_400_000
REQUESTED: dict[str, Any] = {
    "order_id": "o-1",
    "customer_id": "ada",
    "currency": "USD",
    "total": 439,
    "status": "requested",
    "requested_at": NOON_MS,
    "updated_at": NOON_MS,
    "version": 0,
}
RENDERED_TOO = REQUESTED | {
    "status": "rendered",
    "document_sha256": DIGEST,
    "current_sha256": DIGEST,
    "size": 9_000,
    "template": "order-contract",
    "template_version": 1,
    "renderer": "typst 0.15.2",
    "rendered_at": NOON_MS,
    "version": 1,
}
TO_SIGN = RENDERED_TOO | {
    "status": "to_sign",
    "signature_requested_at": NOON_MS,
    "expires_at": LATER_MS,
    "version": 2,
}
SIGNED = TO_SIGN | {"status": "signed", "signed_at": NOON_MS, "version": 3}
SEALED = SIGNED | {
    "status": "sealed",
    "sealed_sha256": SEALED_DIGEST,
    "current_sha256": SEALED_DIGEST,
    "certificate_sha256": CERTIFICATE,
    "size": 20_000,
    "sealed_at": NOON_MS,
    "version": 4,
}


@pytest.mark.parametrize(
    ("history", "document"),
    [
        ("requested", REQUESTED),
        ("rendered", RENDERED_TOO),
        ("to_sign", TO_SIGN),
        ("signed", SIGNED),
        ("declined", TO_SIGN | {"status": "declined", "declined_at": NOON_MS, "reason": "too dear", "version": 3}),
        ("expired", TO_SIGN | {"status": "expired", "expired_at": NOON_MS, "version": 3}),
        (
            "withdrawn",
            TO_SIGN
            | {"status": "withdrawn", "withdrawn_at": NOON_MS, "reason": "the order was cancelled", "version": 3},
        ),
        ("sealed", SEALED),
    ],
)
async def test_a_contract_in_each_status(history: str, document: dict[str, Any]) -> None:
    given = Given(CONTRACTS, *HISTORIES[history])
    await given.then(**{"o-1": document | {"requested_position": given.positions[0]}})


async def test_that_the_customer_was_reminded_changes_no_status() -> None:
    given = Given(CONTRACTS, *HISTORIES["to_sign"], REMINDED)
    reminded = {"reminded_at": NOON_MS, "version": 3}
    await given.then(**{"o-1": TO_SIGN | reminded | {"requested_position": given.positions[0]}})


async def test_that_the_customer_was_told_changes_no_status() -> None:
    given = Given(CONTRACTS, *HISTORIES["to_sign"], NOTIFIED)
    told = {"notices": ["contract-to-sign"], "notified_at": NOON_MS, "version": 3}
    await given.then(**{"o-1": TO_SIGN | told | {"requested_position": given.positions[0]}})


def test_a_step_before_the_request_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match="before its ContractRequested"):
        CONTRACTS.fold(None, RecordedEvent(RENDERED, "contract-o-1", 1, 7, 0))


async def test_where_it_is_signed() -> None:
    given = Given(CONTRACTS, *HISTORIES["to_sign"], SENT)
    sent = {"provider": "sandbox", "sent_at": NOON_MS, "version": 3}
    await given.then(**{"o-1": TO_SIGN | sent | {"requested_position": given.positions[0]}})
