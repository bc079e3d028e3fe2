"""What follows from what on an order's way to a sealed contract, and what is awaited, from events alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.documents.events import ContractCustomerNotified
from domain.model.choreography import chain_of
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from domain.notifications.events import NotificationFailed, NotificationRequested, NotificationSent
from domain.ordering.events import OrderCancelled, OrderConfirmed, OrderShipped
from domain.processes.order_contract.choreography import ORDER_CONTRACT
from tests.support.contracts import (
    COMPLETED,
    DECLINED,
    DIGEST,
    EXPIRED,
    LATER,
    REMINDED,
    RENDERED,
    REQUESTED,
    SEALED,
    SENT,
    SIGNED,
    TO_SIGN,
    WITHDRAWN,
)
from tests.support.decider import NOON

CONFIRMED = OrderConfirmed("o-1", "ada", NOON)
CANCELLED = OrderCancelled("o-1", "ada", "USD", 439, NOON, "no more", NOON)


def asked(kind: str) -> NotificationRequested:
    return NotificationRequested("o-1", "ada", kind, "mail", "ada@example.com", kind, NOON)


def sent(kind: str) -> NotificationSent:
    return NotificationSent("o-1", kind, "<1@shop>", 1, NOON)


def told(kind: str) -> ContractCustomerNotified:
    return ContractCustomerNotified("o-1", "ada", DIGEST, kind, "<1@shop>", NOON)


def read(*events: Any) -> tuple[list[int | None], list[str]]:
    """The causes, and what is awaited."""
    recorded = [None if one is None else RecordedEvent(one, "s", 0, index, 0) for index, one in enumerate(events)]
    chain = chain_of(ORDER_CONTRACT, recorded)
    return list(chain.causes), [one.what for one in chain.awaited]


MAIL = [asked("contract-to-sign"), sent("contract-to-sign"), told("contract-to-sign")]
TO_BE_SIGNED = [CONFIRMED, REQUESTED, RENDERED, TO_SIGN]


@pytest.mark.parametrize(
    ("events", "causes", "awaited"),
    [
        ([CONFIRMED], [None], ["the request for the contract"]),
        ([CONFIRMED, REQUESTED], [None, 0], ["the document"]),
        ([CONFIRMED, REQUESTED, RENDERED], [None, 0, 1], ["the request for the signature"]),
        (TO_BE_SIGNED, [None, 0, 1, 2], ["the customer's signature", "the mail contract-to-sign"]),
        ([*TO_BE_SIGNED, MAIL[0]], [None, 0, 1, 2, 3], ["the customer's signature", "that the mail goes out"]),
        (
            [*TO_BE_SIGNED, *MAIL[:2]],
            [None, 0, 1, 2, 3, 4],
            ["the customer's signature", "the note that the customer was told"],
        ),
        ([*TO_BE_SIGNED, *MAIL], [None, 0, 1, 2, 3, 4, 5], ["the customer's signature"]),
        # Signed before the mail was told of: each event below its own cause, whatever came between.
        ([*TO_BE_SIGNED, MAIL[0], SIGNED, *MAIL[1:]], [None, 0, 1, 2, 3, 3, 4, 6], ["the digital signature"]),
        (
            [*TO_BE_SIGNED, *MAIL, SIGNED, SEALED, asked("contract-signed")],
            [None, 0, 1, 2, 3, 4, 5, 3, 7, 8],
            ["the certificate of completion", "that the mail goes out"],
        ),
        (
            [*TO_BE_SIGNED, *MAIL, SIGNED, SEALED, COMPLETED],
            [None, 0, 1, 2, 3, 4, 5, 3, 7, 8],
            ["the mail contract-signed"],
        ),
        # Where there is no key, nothing is sealed.
        ([*TO_BE_SIGNED, *MAIL, SIGNED, COMPLETED], [None, 0, 1, 2, 3, 4, 5, 3, 7], []),
        (
            [*TO_BE_SIGNED, *MAIL, REMINDED, SENT],
            [None, 0, 1, 2, 3, 4, 5, 3, 3],
            ["the customer's signature", "the mail contract-reminder"],
        ),
        ([*TO_BE_SIGNED, *MAIL, DECLINED], [None, 0, 1, 2, 3, 4, 5, 3], []),
        ([*TO_BE_SIGNED, *MAIL, EXPIRED], [None, 0, 1, 2, 3, 4, 5, 3], []),
        (
            [*TO_BE_SIGNED, *MAIL, EXPIRED, asked("contract-expired"), sent("contract-expired")],
            [None, 0, 1, 2, 3, 4, 5, 3, 7, 8],
            ["the note that the customer was told"],
        ),
        ([CONFIRMED, REQUESTED, CANCELLED], [None, 0, None], ["the document", "the withdrawal of the contract"]),
        ([CONFIRMED, REQUESTED, CANCELLED, WITHDRAWN], [None, 0, None, 2], ["the mail contract-withdrawn"]),
        # Taken back by the staff: of that no event is the cause.
        ([CONFIRMED, REQUESTED, WITHDRAWN], [None, 0, None], ["the mail contract-withdrawn"]),
        # It was signed already, and stands.
        ([*TO_BE_SIGNED, *MAIL, SIGNED, CANCELLED], [None, 0, 1, 2, 3, 4, 5, 3, None], ["the digital signature"]),
        (
            [*TO_BE_SIGNED, MAIL[0], NotificationFailed("o-1", "contract-to-sign", "no such user", 3, NOON)],
            [None, 0, 1, 2, 3, 4],
            ["the customer's signature"],
        ),
        # Of a customer who is forgotten no document is made any more.
        ([CONFIRMED, replace(REQUESTED, customer_name=REDACTED)], [None, 0], []),
        # What can't be read has no cause, and is nobody's cause.
        (
            [CONFIRMED, None, RENDERED],
            [None, None, None],
            ["the request for the contract", "the request for the signature"],
        ),
    ],
)
def test_each_step_stands_below_its_cause(events: list[Any], causes: list[int | None], awaited: list[str]) -> None:
    assert read(*events) == (causes, awaited)


def test_it_is_told_until_when() -> None:
    chain = chain_of(ORDER_CONTRACT, [RecordedEvent(one, "s", 0, 0, 0) for one in TO_BE_SIGNED])
    assert [(one.by, one.after, one.until) for one in chain.awaited] == [
        ("the customer", 3, LATER),
        ("notifying", 3, None),
    ]


def test_of_an_order_and_its_mails_only_what_concerns_the_contract_belongs_to_it() -> None:
    for ours in (*TO_BE_SIGNED, *MAIL, SIGNED, SEALED, DECLINED, EXPIRED, WITHDRAWN, CANCELLED):
        assert ORDER_CONTRACT.belongs(ours)
    for other in (OrderShipped("o-1", "ada", "DHL", "1", NOON), asked("order-confirmed"), sent("order-shipped")):
        assert not ORDER_CONTRACT.belongs(other)
