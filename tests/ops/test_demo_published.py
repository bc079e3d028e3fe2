"""What the demo says of subscribers: that they have what follows from the log, or what is wrong."""

import pytest
from msgspec.structs import replace

from infrastructure.integration.cloud_event import CloudEvent
from ops.demo.broker import broker_reader
from ops.demo.published import compare
from ops.errors import CommandFailed
from tests.event_relay.test_relay import ORDERS, mapped

LOG = mapped(ORDERS.events)
CHANGED, STRANGE = replace(LOG[0], time="2020-01-01T00:00:00Z"), replace(LOG[0], id="other")


def swapped(events: list[CloudEvent], one: int, other: int) -> list[CloudEvent]:
    found = list(events)
    found[one], found[other] = found[other], found[one]
    return found


def test_the_same_in_another_order_of_subjects_and_with_repetitions_is_well():
    by_subject = sorted(LOG, key=lambda event: event.subject, reverse=True)
    found = compare("webhook", LOG, [*by_subject[:3], *by_subject])
    assert (found.expected, found.repeated, found.problems) == (8, 3, [])
    assert str(found) == ("webhook: 8 events, 3 repeated with equal ids: the same as the log says, in order by subject")


@pytest.mark.parametrize(
    ("taken", "problem"),
    [
        (LOG[1:], "ordering.order-placed.v1 of a is lost"),
        (swapped(LOG, 0, 1), "the events of urn:eventfold:ordering a are out of order"),
        ([*LOG, CHANGED], "came again"),
        ([CHANGED, *LOG[1:]], "is not what the log says"),
        ([*LOG, STRANGE], "is not in the log"),
    ],
)
def test_what_is_wrong_is_said(taken: list[CloudEvent], problem: str):
    found = compare("webhook", LOG, taken)
    assert any(problem in one for one in found.problems), found.problems
    assert "DIFFERS" in str(found)


@pytest.mark.parametrize(
    "url", ["nats://127.0.0.1/x", "127.0.0.1:9092", "kafka://127.0.0.1:9092", "amqp://127.0.0.1:5672"]
)
def test_a_broker_that_can_not_be_is_named(url: str):
    with pytest.raises(CommandFailed, match="--broker"):
        broker_reader(url)


def test_the_password_of_a_broker_is_not_told():
    with pytest.raises(CommandFailed) as failed:
        broker_reader("amqp://somebody:a-secret@127.0.0.1:9/ordering")
    assert "a-secret" not in str(failed.value)
