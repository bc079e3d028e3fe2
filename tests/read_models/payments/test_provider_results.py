"""The view of what the payment provider told, event by event."""

import pytest

from domain.model.recorded_event import RecordedEvent
from domain.payments.aggregate import PAYMENT
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.payments.provider_results.events import (
    ProviderResultKept,
    ProviderResultMatched,
    ProviderResultMismatched,
    ProviderResultOffered,
    ProviderResultWithoutPayment,
)
from infrastructure.application import Application
from read_models.payments.provider_results import PROVIDER_RESULTS_TOLD, fold, keys
from tests.support.decider import NOON

KEPT = ProviderResultKept("o-1", "evt_1", "charge.succeeded", "ch_1", "", "USD", 1900, 1900, "", "{}", NOON)
OFFERED = ProviderResultOffered("o-1", "evt_1", "charge.succeeded", "ch_1", "", "USD", 1900, 1900, "", NOON)
STEPS = (
    (KEPT, "kept"),
    (ProviderResultWithoutPayment("o-1", "evt_1", NOON), "without_payment"),
    (OFFERED, "kept"),
    (ProviderResultMismatched("o-1", "evt_1", "1901 were charged", NOON), "mismatched"),
)


def test_each_step_shows():
    told = None
    for position, (event, status) in enumerate(STEPS):
        recorded = RecordedEvent(event, "provider_result-o-1", position, position, 0)
        told = fold(told, recorded)
        assert (told.status, keys(event)) == (status, ("evt_1",))
    assert told is not None
    assert (told.detail, told.amount, told.kept_position) == ("1901 were charged", 1900, 0)
    matched = RecordedEvent(ProviderResultMatched("o-1", "evt_1", NOON), "provider_result-o-1", 4, 4, 0)
    assert fold(told, matched).status == "matched"
    with pytest.raises(ValueError, match="stands before"):
        fold(None, matched)


def test_what_does_not_concern_us_is_shown_as_ignored():
    event = ProviderResultKept("evt_2", "evt_2", "dispute.opened", "", "", "", 0, 0, "", "{}", NOON)
    assert fold(None, RecordedEvent(event, "provider_result-evt_2", 0, 7, 0)).status == "ignored"


def test_an_application_takes_it():
    assert Application(aggregates=(PAYMENT, PROVIDER_RESULTS), views=(PROVIDER_RESULTS_TOLD,))
