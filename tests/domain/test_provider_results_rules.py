"""What the provider told about one reference: given what has happened, when a command comes, then this."""

from typing import Any

import pytest

from domain.model.errors import NoSuchAggregate
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.payments.provider_results.commands import (
    KeepResult,
    OfferAgain,
    RecordMatch,
    RecordMismatch,
    RecordMissingPayment,
)
from domain.payments.provider_results.events import (
    ProviderResultKept,
    ProviderResultMatched,
    ProviderResultMismatched,
    ProviderResultOffered,
    ProviderResultWithoutPayment,
)
from tests.support.decider import NOON, Given

KEEP = KeepResult("evt_1", "charge.succeeded", "ch_1", "", "USD", 1900, 1900, "", "{}")
KEPT = ProviderResultKept("o-1", "evt_1", "charge.succeeded", "ch_1", "", "USD", 1900, 1900, "", "{}", NOON)
WITHOUT = ProviderResultWithoutPayment("o-1", "evt_1", NOON)
OFFERED = ProviderResultOffered("o-1", "evt_1", "charge.succeeded", "ch_1", "", "USD", 1900, 1900, "", NOON)
MATCHED = ProviderResultMatched("o-1", "evt_1", NOON)
MISMATCHED = ProviderResultMismatched("o-1", "evt_1", "it differs", NOON)
UNKNOWN = ProviderResultKept("o-1", "evt_2", "dispute.opened", "", "", "", 0, 0, "", "{}", NOON)


def given(*events: Any) -> Given:
    return Given(PROVIDER_RESULTS, "o-1", *events)


def test_what_is_told_is_kept_once():
    given().when(KEEP).then(KEPT)
    given(KEPT).when(KEEP).then_violation("result-kept")
    given(UNKNOWN).when(KEEP).then(KEPT)
    given().when(KeepResult("evt_2", "dispute.opened", body="{}")).then(UNKNOWN)


@pytest.mark.parametrize("history", [[KEPT], [KEPT, WITHOUT], [KEPT, WITHOUT, OFFERED]])
def test_what_is_open_is_decided_on(history: list[Any]):
    given(*history).when(RecordMatch("evt_1")).then(MATCHED)
    given(*history).when(RecordMismatch("evt_1", "it differs")).then(MISMATCHED)
    given(*history).when(RecordMissingPayment("evt_1")).then(WITHOUT)


@pytest.mark.parametrize(
    ("history", "code"), [([KEPT, MATCHED], "result-is-matched"), ([KEPT, MISMATCHED], "result-is-mismatched")]
)
def test_what_is_decided_stays_so(history: list[Any], code: str):
    for command in (RecordMatch("evt_1"), RecordMismatch("evt_1", "no"), RecordMissingPayment("evt_1")):
        given(*history).when(command).then_violation(code)
    given(UNKNOWN).when(RecordMatch("evt_2")).then_violation("result-is-ignored")


def test_what_found_no_payment_is_offered_again():
    given(KEPT, WITHOUT).when(OfferAgain()).then(OFFERED)
    for history in ([KEPT], [KEPT, MATCHED], [KEPT, WITHOUT, OFFERED], [UNKNOWN]):
        given(*history).when(OfferAgain()).then_violation("nothing-to-offer")


def test_nothing_was_told():
    for command in (OfferAgain(), RecordMatch("evt_1")):
        given().when(command).then_error(NoSuchAggregate)
    given(KEPT).when(RecordMatch("evt_3")).then_error(NoSuchAggregate)


def test_what_can_never_be_right():
    given().when(KeepResult("evt/1", "", body="x" * 65_537)).then_faults("/result_id", "/kind", "/body")
    given().when(KeepResult("evt_1", "charge.succeeded")).then_faults("/charge_id", "/amount")
    refund = KeepResult("evt_1", "refund.failed", "ch_1", "", "USD", 5, 5, "x" * 501)
    given().when(refund).then_faults("/refund_id", "/reason")
    given(KEPT).when(RecordMismatch("evt_1", " ")).then_faults("/detail")
    Given(PROVIDER_RESULTS, "o 1").when(OfferAgain()).then_faults("/reference")
