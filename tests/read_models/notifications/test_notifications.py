"""What an order's customer was told, by examples."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.model.recorded_event import RecordedEvent
from read_models.notifications.notifications import NOTIFICATIONS
from tests.read_models.given import Given
from tests.support.notifications import FAILED, REQUESTED, SENT

NOON_MS = 1_773_489_600_000
MESSAGE: dict[str, Any] = {
    "kind": "order-confirmed",
    "channel": "mail",
    "template": "order-confirmed",
    "status": "requested",
    "requested_at": NOON_MS,
}
WHEN_SENT = MESSAGE | {"status": "sent", "attempts": 2, "sent_at": NOON_MS, "reference": "<1@shop>"}
WHEN_FAILED = MESSAGE | {"status": "failed", "attempts": 1, "failed_at": NOON_MS, "reason": "550 no such user"}
SHIPPED = {"kind": "order-shipped"}
SHIPPED_REQUESTED = replace(REQUESTED, kind="order-shipped")


@pytest.mark.parametrize(
    ("history", "status", "messages"),
    [
        ([REQUESTED], "requested", [MESSAGE]),
        ([REQUESTED, SENT], "sent", [WHEN_SENT]),
        ([REQUESTED, FAILED], "failed", [WHEN_FAILED]),
        ([REQUESTED, FAILED, SENT], "sent", [WHEN_SENT]),
        ([REQUESTED, FAILED, replace(REQUESTED, recipient="a@b")], "requested", [MESSAGE]),
        ([REQUESTED, SENT, SHIPPED_REQUESTED], "requested", [WHEN_SENT, MESSAGE | SHIPPED]),
        ([REQUESTED, FAILED, SHIPPED_REQUESTED], "failed", [WHEN_FAILED, MESSAGE | SHIPPED]),
        (
            [REQUESTED, SHIPPED_REQUESTED, replace(SENT, kind="order-shipped"), FAILED],
            "failed",
            [WHEN_FAILED, WHEN_SENT | SHIPPED],
        ),
    ],
)
async def test_the_messages_of_an_order(history: list[Any], status: str, messages: list[Any]) -> None:
    given = Given(NOTIFICATIONS, *history)
    document = {
        "order_id": "o-1",
        "customer_id": "ada",
        "status": status,
        "messages": messages,
        "updated_at": NOON_MS,
        "version": len(history) - 1,
        "first_position": given.positions[0],
    }
    await given.then(**{"o-1": document})


def test_a_kind_that_was_never_requested_is_an_error_not_a_guess() -> None:
    document = NOTIFICATIONS.fold(None, RecordedEvent(REQUESTED, "notification-o-1", 0, 7, 0))
    with pytest.raises(ValueError, match="order-shipped was never requested"):
        NOTIFICATIONS.fold(document, RecordedEvent(replace(SENT, kind="order-shipped"), "notification-o-1", 1, 9, 0))
