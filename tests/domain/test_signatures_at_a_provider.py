"""Contracts that are signed at a provider, and what the provider told: given this, when a command comes."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from domain.documents.aggregate import CONTRACT
from domain.documents.commands import (
    DeclineContract,
    RecordSignature,
    SendToProvider,
    SignByLink,
    SignContract,
    WithdrawContract,
)
from domain.documents.events import ContractSealed, ContractSigned
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.documents.signature_results.commands import (
    KeepSignatureResult,
    OfferSignatureResults,
    RecordSignatureOutcome,
)
from domain.documents.signature_results.events import (
    SignatureResultDecided,
    SignatureResultKept,
    SignatureResultOffered,
)
from domain.model.errors import NoSuchAggregate
from tests.support.contracts import (
    CERTIFICATE,
    DECLINED,
    DIGEST,
    EXPIRED,
    HISTORIES,
    LATER,
    SEALED_DIGEST,
    SENT,
    TO_SIGN,
    WITHDRAWN,
)
from tests.support.decider import NOON, Given

AUDIT = "e" * 64
OTHER = "d" * 64
SEND = SendToProvider(DIGEST, "sandbox")
RECORD = RecordSignature(DIGEST, "sig_1", "Ada King", NOON, SEALED_DIGEST, 20_000, CERTIFICATE, AUDIT)
SIGNED = ContractSigned("o-1", "ada", DIGEST, "Ada King", NOON, "provider", "", "", "", SEALED_DIGEST, AUDIT, "sig_1")
SEALED = ContractSealed("o-1", "ada", DIGEST, SEALED_DIGEST, 20_000, CERTIFICATE, NOON)
AT_PROVIDER = [*HISTORIES["to_sign"], SENT]
OVER = replace(TO_SIGN, expires_at=NOON)


def contract(*events: Any) -> Given:
    return Given(CONTRACT, "o-1", *events)


def test_what_can_be_signed_is_sent_once() -> None:
    contract(*HISTORIES["to_sign"]).when(SEND).then(SENT)
    contract(*AT_PROVIDER).when(SEND).then_violation("contract-is-sent")
    contract(*HISTORIES["to_sign"]).when(replace(SEND, document_sha256=OTHER)).then_violation("another-document")
    contract(*HISTORIES["to_sign"][:2], OVER).when(SEND).then_violation("time-to-sign-over")
    contract().when(SEND).then_error(NoSuchAggregate)


@pytest.mark.parametrize("status", ["requested", "rendered", "signed", "declined", "expired", "withdrawn", "sealed"])
def test_what_can_not_be_signed_is_sent_nowhere(status: str) -> None:
    contract(*HISTORIES[status]).when(SEND).then_violation(f"contract-is-{status}")


def test_what_is_at_a_provider_is_not_signed_here() -> None:
    for command in (SignContract(DIGEST, "Ada", True), SignByLink(DIGEST, "Ada", True, "1", "", "")):
        contract(*AT_PROVIDER).when(command).then_violation("signed-at-provider")
    contract(*AT_PROVIDER).when(DeclineContract("too dear")).then(DECLINED)
    contract(*AT_PROVIDER).when(WithdrawContract("the order was cancelled")).then(WITHDRAWN)


def test_a_signature_is_recorded_with_the_document_that_has_it() -> None:
    contract(*AT_PROVIDER).when(RECORD).then(SIGNED, SEALED)
    contract(*AT_PROVIDER, SIGNED, SEALED).when(RECORD).then_violation("contract-is-sealed")


def test_a_signature_that_was_given_in_time_holds_however_late_it_is_learned_of() -> None:
    contract(*AT_PROVIDER, EXPIRED).when(RECORD).then(SIGNED, SEALED)
    late = replace(RECORD, signed_at=LATER)
    for history in (AT_PROVIDER, [*AT_PROVIDER, EXPIRED]):
        contract(*history).when(late).then_violation("time-to-sign-over")
    contract(*AT_PROVIDER).when(replace(RECORD, signed_at=LATER - timedelta(seconds=1))).then(
        replace(SIGNED, signed_at=LATER - timedelta(seconds=1)), SEALED
    )


@pytest.mark.parametrize(
    ("history", "command", "code"),
    [
        ([*AT_PROVIDER, DECLINED], RECORD, "contract-is-declined"),
        ([*AT_PROVIDER, WITHDRAWN], RECORD, "contract-is-withdrawn"),
        (HISTORIES["to_sign"], RECORD, "not-at-a-provider"),
        (AT_PROVIDER, replace(RECORD, document_sha256=OTHER), "another-document"),
    ],
)
def test_a_signature_that_contradicts_is_refused(history: list[Any], command: RecordSignature, code: str) -> None:
    contract(*history).when(command).then_violation(code)


@pytest.mark.parametrize(
    ("command", "pointer"),
    [
        (replace(RECORD, document_sha256="x"), "/document_sha256"),
        (replace(RECORD, signed_sha256=SEALED_DIGEST.upper()), "/signed_sha256"),
        (replace(RECORD, certificate_sha256=""), "/certificate_sha256"),
        (replace(RECORD, audit_sha256="a"), "/audit_sha256"),
        (replace(RECORD, name=" "), "/name"),
        (replace(RECORD, request_id=""), "/request_id"),
        (replace(RECORD, size=0), "/size"),
        (replace(RECORD, signed_at=NOON.replace(tzinfo=None)), "/signed_at"),
        (replace(SEND, provider="a b"), "/provider"),
        (replace(SEND, document_sha256="x"), "/document_sha256"),
    ],
)
def test_what_can_never_be_right_is_named(command: Any, pointer: str) -> None:
    contract(*AT_PROVIDER).when(command).then_faults(pointer)


KEEP = KeepSignatureResult("evt_1", "request.completed", "sig_1", "{}")
KEPT = SignatureResultKept("o-1", "evt_1", "request.completed", "sig_1", "{}", NOON)
UNKNOWN = SignatureResultKept("o-1", "evt_2", "account.closed", "", "{}", NOON)
OFFERED = SignatureResultOffered("o-1", "evt_1", "request.completed", "sig_1", NOON)


def decided(outcome: str, detail: str = "") -> SignatureResultDecided:
    return SignatureResultDecided("o-1", "evt_1", outcome, detail, NOON)


def told(*events: Any) -> Given:
    return Given(SIGNATURE_RESULTS, "o-1", *events)


def test_what_is_told_is_kept_once() -> None:
    told().when(KEEP).then(KEPT)
    told(KEPT).when(KEEP).then_violation("result-kept")
    told(UNKNOWN).when(KEEP).then(KEPT)
    told().when(KeepSignatureResult("evt_2", "account.closed", body="{}")).then(UNKNOWN)


@pytest.mark.parametrize("history", [[KEPT], [KEPT, decided("without_contract")], [KEPT, OFFERED]])
def test_what_is_open_is_decided_on(history: list[Any]) -> None:
    for outcome, detail in (("matched", ""), ("mismatched", "it differs"), ("without_contract", "")):
        command = RecordSignatureOutcome("evt_1", outcome, detail)  # type: ignore[arg-type]
        told(*history).when(command).then(decided(outcome, detail))


@pytest.mark.parametrize("outcome", ["matched", "mismatched"])
def test_what_is_decided_stays_so(outcome: str) -> None:
    again = RecordSignatureOutcome("evt_1", "matched")
    told(KEPT, decided(outcome)).when(again).then_violation(f"result-is-{outcome}")
    told(UNKNOWN).when(RecordSignatureOutcome("evt_2", "matched")).then_violation("result-is-ignored")


def test_what_found_no_contract_is_offered_again() -> None:
    told(KEPT, decided("without_contract")).when(OfferSignatureResults()).then(OFFERED)
    told(KEPT, decided("matched")).when(OfferSignatureResults()).then_violation("nothing-to-offer")
    told().when(OfferSignatureResults()).then_error(NoSuchAggregate)
    told(KEPT).when(RecordSignatureOutcome("evt_9", "matched")).then_error(NoSuchAggregate)


@pytest.mark.parametrize(
    ("command", "pointer"),
    [
        (replace(KEEP, result_id="a b"), "/result_id"),
        (replace(KEEP, kind=""), "/kind"),
        (replace(KEEP, request_id=""), "/request_id"),
        (replace(KEEP, request_id="s" * 201), "/request_id"),
        (replace(KEEP, body="x" * 65_537), "/body"),
        (RecordSignatureOutcome("evt_1", "mismatched", "x" * 501), "/detail"),
    ],
)
def test_what_can_never_be_kept_is_named(command: Any, pointer: str) -> None:
    told(KEPT).when(command).then_faults(pointer)
