"""Customers' profiles, by examples: what is personal goes with the event that forgets, whatever can be read by then."""

from typing import Any

import pytest

from domain.customers.events import (
    Address,
    CustomerAddressChanged,
    CustomerEmailChanged,
    CustomerErased,
    CustomerForgotten,
    CustomerRegistered,
    CustomerRenamed,
)
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from read_models.customers.profiles import CUSTOMER_PROFILES
from tests.read_models.given import Given
from tests.support.decider import NOON

NOON_MS = 1_773_489_600_000
HOME = Address("1 Main St", "Bath", "BA1", "GB")
REGISTERED = CustomerRegistered("c-1", "Ada", "ada@example.com", HOME, NOON)
RENAMED = CustomerRenamed("c-1", "Ada L.", NOON)
MAIL_CHANGED = CustomerEmailChanged("c-1", "ada@work.example", NOON)
MOVED = CustomerAddressChanged("c-1", None, NOON)
FORGOTTEN, ERASED = CustomerForgotten("c-1", NOON), CustomerErased("c-1", NOON)

PROFILE: dict[str, Any] = {
    "customer_id": "c-1",
    "status": "registered",
    "name": "Ada",
    "email": "ada@example.com",
    "address": {"street": "1 Main St", "city": "Bath", "postal_code": "BA1", "country": "GB"},
    "registered_at": NOON_MS,
    "updated_at": NOON_MS,
}
GONE = {
    "customer_id": "c-1",
    "status": "forgotten",
    "name": REDACTED,
    "email": REDACTED,
    "forgotten_at": NOON_MS,
    "updated_at": NOON_MS,
}
CHANGED = {key: value for key, value in PROFILE.items() if key != "address"} | {
    "name": "Ada L.",
    "email": MAIL_CHANGED.email,
}


@pytest.mark.parametrize(
    ("history", "profile"),
    [
        ([REGISTERED], PROFILE),
        ([REGISTERED, RENAMED, MAIL_CHANGED, MOVED], CHANGED),
        ([REGISTERED, RENAMED, FORGOTTEN], GONE),
        ([FORGOTTEN], GONE),
        ([REGISTERED, FORGOTTEN, ERASED], GONE | {"status": "erased", "erased_at": NOON_MS}),
        ([REGISTERED, MOVED, FORGOTTEN, ERASED, REGISTERED], PROFILE),
    ],
)
async def test_a_profile(history: list[Any], profile: dict[str, Any]) -> None:
    given = Given(CUSTOMER_PROFILES, *history)
    expected = profile | {"version": len(history) - 1, "first_position": given.positions[0]}
    await given.then(**{"c-1": expected})


def test_a_change_before_the_registration_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match="c-1"):
        CUSTOMER_PROFILES.fold(None, RecordedEvent(RENAMED, "customer-c-1", 1, 7, 0))


@pytest.mark.parametrize("history", [[REGISTERED], [REGISTERED, RENAMED, MAIL_CHANGED, MOVED]])
def test_the_document_after_forgetting_does_not_depend_on_what_could_be_read(history: list[Any]) -> None:
    redacted = CustomerRegistered("c-1", REDACTED, REDACTED, None, NOON)

    def folded(events: list[Any]) -> Any:
        document: Any = None
        for revision, event in enumerate(events):
            document = CUSTOMER_PROFILES.fold(document, RecordedEvent(event, "customer-c-1", revision, 7 + revision, 0))
        return document

    assert folded([*history, FORGOTTEN]) == folded([redacted] * len(history) + [FORGOTTEN])
