"""The notifications of an order: given what has happened, when a command comes, then these events or this refusal."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec import Struct
from msgspec.structs import replace

from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.notifications.aggregate import NOTIFICATION
from domain.notifications.commands import MAX_ATTEMPTS, RecordSendFailure, RecordSent, RequestNotification
from domain.notifications.events import NotificationSent
from domain.notifications.notifications import MAX_KINDS, Notifications
from tests.support.decider import NOON, Given
from tests.support.notifications import FAILED, REQUESTED, SENT

REQUEST = RequestNotification("order-confirmed", "ada", "mail", "ada@example.com", "order-confirmed")
RECORD_SENT = RecordSent("order-confirmed", "<1@shop>", 2)
RECORD_FAILURE = RecordSendFailure("order-confirmed", "550 no such user")


def order(*events: Struct) -> Given:
    return Given(NOTIFICATION, "o-1", *events)


@pytest.mark.parametrize(
    ("history", "command", "event"),
    [
        ([], REQUEST, REQUESTED),
        ([REQUESTED], replace(REQUEST, kind="order-shipped"), replace(REQUESTED, kind="order-shipped")),
        ([REQUESTED, SENT], replace(REQUEST, kind="order-shipped"), replace(REQUESTED, kind="order-shipped")),
        ([REQUESTED, FAILED], REQUEST, REQUESTED),
        ([REQUESTED, FAILED], replace(REQUEST, recipient="a@b"), replace(REQUESTED, recipient="a@b")),
        ([REQUESTED], RECORD_SENT, SENT),
        ([REQUESTED, FAILED], RECORD_SENT, SENT),
        ([REQUESTED], RECORD_FAILURE, FAILED),
        ([REQUESTED, FAILED, REQUESTED], RECORD_FAILURE, FAILED),
    ],
)
def test_what_comes_of_it(history: list[Struct], command: Struct, event: Struct) -> None:
    order(*history).when(command).then(event)


@pytest.mark.parametrize(
    ("history", "command", "code"),
    [
        ([REQUESTED], REQUEST, "notification-is-requested"),
        ([REQUESTED, SENT], REQUEST, "notification-is-sent"),
        ([REQUESTED, SENT], RECORD_SENT, "notification-is-sent"),
        ([REQUESTED, SENT], RECORD_FAILURE, "notification-is-sent"),
        ([REQUESTED, FAILED], RECORD_FAILURE, "notification-is-failed"),
        ([REQUESTED], replace(RECORD_SENT, kind="order-shipped"), "notification-not-requested"),
        ([REQUESTED], replace(RECORD_FAILURE, kind="order-shipped"), "notification-not-requested"),
    ],
)
def test_what_was_sent_before_forbids_it(history: list[Struct], command: Struct, code: str) -> None:
    order(*history).when(command).then_violation(code)


@pytest.mark.parametrize("command", [RECORD_SENT, RECORD_FAILURE])
def test_nothing_was_ever_requested(command: Struct) -> None:
    order().when(command).then_error(NoSuchAggregate)


@pytest.mark.parametrize("event", [SENT, FAILED])
def test_an_event_before_the_request_is_an_error_not_a_guess(event: Struct) -> None:
    with pytest.raises(ValueError, match="before NotificationRequested in the stream of o-1"):
        order(event)


def test_an_order_has_a_bounded_number_of_kinds() -> None:
    full = [replace(REQUESTED, kind=f"kind-{number}") for number in range(MAX_KINDS)]
    order(*full).when(REQUEST).then_violation("too-many-notifications")
    order(*full, replace(FAILED, kind="kind-0")).when(replace(REQUEST, kind="kind-0")).then(full[0])


@pytest.mark.parametrize(
    ("command", "pointers"),
    [
        (
            RequestNotification("", "", "pigeon", " ", ""),
            ["/kind", "/customer_id", "/channel", "/recipient", "/template"],
        ),
        (replace(REQUEST, recipient="a@b\r\nBcc: all@example.com"), ["/recipient"]),
        (replace(REQUEST, recipient="x" * 321), ["/recipient"]),
        (replace(RECORD_SENT, reference="", attempts=0), ["/reference", "/attempts"]),
        (replace(RECORD_FAILURE, reason="\x00", attempts=MAX_ATTEMPTS + 1), ["/reason", "/attempts"]),
        (replace(RECORD_FAILURE, kind="a b"), ["/kind"]),
    ],
)
def test_every_fault_is_named(command: Struct, pointers: list[str]) -> None:
    order(REQUESTED).when(command).then_faults(*pointers)


def test_an_id_that_is_none() -> None:
    Given(NOTIFICATION, "o 1").when(REQUEST).then_faults("/notification_id")


_KINDS = st.sampled_from(["a", "b"])
_COMMANDS: st.SearchStrategy[Any] = st.one_of(
    *(
        st.builds(lambda kind, one=one: replace(one, kind=kind), _KINDS)
        for one in (REQUEST, RECORD_SENT, RECORD_FAILURE)
    )
)


@given(st.lists(_COMMANDS, max_size=30))
def test_whatever_comes_a_message_of_a_kind_is_sent_once_at_most(commands: list[Any]) -> None:
    state: Notifications | None = None
    sent: list[str] = []
    for command in commands:
        try:
            events = NOTIFICATION.decide(command, state, CommandContext("o-1", NOON))
        except (RuleViolation, NoSuchAggregate):
            continue
        for event in events:
            state = NOTIFICATION.evolve(state, event)
            sent += [event.kind] if isinstance(event, NotificationSent) else []
    assert len(sent) == len(set(sent))
