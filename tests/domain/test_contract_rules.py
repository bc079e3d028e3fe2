"""The contract of an order: given what has happened, when a command comes, then these events or this refusal."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from msgspec import Struct
from msgspec.structs import replace

from domain.documents.aggregate import CONTRACT
from domain.documents.commands import (
    MAX_LINES,
    ContractItem,
    DeclineContract,
    ExpireContract,
    RecordNotice,
    RecordRendering,
    RecordSeal,
    RemindToSign,
    RequestContract,
    RequestSignature,
    SignByLink,
    SignContract,
    WithdrawContract,
)
from domain.documents.contract import Contract
from domain.documents.events import ContractDeclined, ContractExpired, ContractSigned, ContractWithdrawn
from domain.documents.rules import check
from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.event_types import EventTypes
from tests.support.contracts import (
    CERTIFICATE,
    DECLINED,
    DIGEST,
    EXPIRED,
    HISTORIES,
    LATER,
    NOTIFIED,
    REMINDED,
    RENDERED,
    REQUESTED,
    SEALED,
    SEALED_DIGEST,
    SIGNED,
    TO_SIGN,
    WITHDRAWN,
)
from tests.support.decider import NOON, Given

ITEMS = [ContractItem("apple", 3, 50, 10, 140), ContractItem("bread", 1, 299, 0, 299)]
REQUEST = RequestContract("ada", "Ada Lovelace", "USD", ITEMS, 439, NOON, NOON)
RENDERING = RecordRendering(DIGEST, 9_000, "order-contract", 1, "typst 0.15.2")
ASK = RequestSignature(DIGEST, LATER)
SIGN = SignContract(DIGEST, "Ada Lovelace", True)
BY_LINK = SignByLink(DIGEST, "Ada Lovelace", True, "1", "203.0.113.9", "Mozilla/5.0")
SIGNED_BY_LINK = replace(SIGNED, channel="link", address="203.0.113.9", user_agent="Mozilla/5.0")
DECLINE = DeclineContract("too dear")
WITHDRAW = WithdrawContract("the order was cancelled")
SEAL = RecordSeal(DIGEST, SEALED_DIGEST, 20_000, CERTIFICATE)
NOTICE = RecordNotice("contract-to-sign", "<1@shop>")
OTHER = "d" * 64
OVER = replace(TO_SIGN, expires_at=NOON)


def contract(*events: Struct) -> Given:
    return Given(CONTRACT, "o-1", *events)


@pytest.mark.parametrize(
    ("status", "command", "event"),
    [
        ("requested", RENDERING, RENDERED),
        ("requested", WITHDRAW, replace(WITHDRAWN, document_sha256="")),
        ("rendered", ASK, TO_SIGN),
        ("rendered", WITHDRAW, WITHDRAWN),
        ("to_sign", SIGN, SIGNED),
        ("to_sign", BY_LINK, SIGNED_BY_LINK),
        ("to_sign", DECLINE, DECLINED),
        ("to_sign", WITHDRAW, WITHDRAWN),
        ("to_sign", RemindToSign(), REMINDED),
        ("to_sign", NOTICE, NOTIFIED),
        ("signed", SEAL, SEALED),
        ("signed", NOTICE, NOTIFIED),
        ("sealed", NOTICE, NOTIFIED),
    ],
)
def test_each_step_follows_the_one_before(status: str, command: Struct, event: Struct) -> None:
    contract(*HISTORIES[status]).when(command).then(event)


def test_a_contract_begins_with_its_request() -> None:
    contract().when(REQUEST).then(REQUESTED)
    for history in HISTORIES.values():
        contract(*history).when(REQUEST).then_violation("contract-exists")


ALLOWED = {
    RENDERING: {"requested"},
    ASK: {"rendered"},
    SIGN: {"to_sign"},
    BY_LINK: {"to_sign"},
    DECLINE: {"to_sign"},
    RemindToSign(): {"to_sign"},
    ExpireContract(): {"to_sign"},
    WITHDRAW: {"requested", "rendered", "to_sign"},
    SEAL: {"signed"},
}


@pytest.mark.parametrize("command", ALLOWED, ids=lambda one: type(one).__name__)
def test_in_any_other_status_it_is_refused_by_its_name(command: Struct) -> None:
    for status, history in HISTORIES.items():
        if status not in ALLOWED[command]:
            contract(*history).when(command).then_violation(f"contract-is-{status.replace('_', '-')}")


@pytest.mark.parametrize("command", [*ALLOWED, NOTICE], ids=lambda one: type(one).__name__)
def test_there_is_no_contract(command: Struct) -> None:
    contract().when(command).then_error(NoSuchAggregate)


@pytest.mark.parametrize("event", [RENDERED, TO_SIGN, REMINDED, SIGNED, DECLINED, EXPIRED, WITHDRAWN, SEALED, NOTIFIED])
def test_an_event_before_the_request_is_an_error_not_a_guess(event: Struct) -> None:
    with pytest.raises(ValueError, match="before ContractRequested in the stream of o-1"):
        contract(event)


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("rendered", replace(ASK, document_sha256=OTHER)),
        ("to_sign", replace(SIGN, document_sha256=OTHER)),
        ("to_sign", replace(BY_LINK, document_sha256=OTHER)),
        ("signed", replace(SEAL, document_sha256=OTHER)),
    ],
)
def test_nobody_agrees_to_another_document(status: str, command: Struct) -> None:
    contract(*HISTORIES[status]).when(command).then_violation("another-document")


def test_the_time_to_sign_ends_at_its_moment() -> None:
    over = (REQUESTED, RENDERED, OVER)
    for command in (SIGN, BY_LINK, DECLINE, RemindToSign()):
        contract(*over).when(command).then_violation("time-to-sign-over")
    contract(*over).when(ExpireContract()).then(EXPIRED)
    just = replace(TO_SIGN, expires_at=NOON + timedelta(microseconds=1))
    contract(REQUESTED, RENDERED, just).when(SIGN).then(SIGNED)
    contract(REQUESTED, RENDERED, just).when(ExpireContract()).then_violation("time-to-sign-left")
    contract(REQUESTED, RENDERED).when(replace(ASK, expires_at=NOON)).then_violation("no-time-to-sign")


def test_the_customer_is_reminded_once() -> None:
    contract(*HISTORIES["to_sign"], REMINDED).when(RemindToSign()).then_violation("customer-reminded")
    contract(*HISTORIES["to_sign"], REMINDED).when(SIGN).then(SIGNED)


def test_a_message_of_a_kind_is_recorded_once() -> None:
    contract(*HISTORIES["to_sign"], NOTIFIED).when(NOTICE).then_violation("customer-notified")
    other = replace(NOTICE, kind="contract-signed")
    contract(*HISTORIES["to_sign"], NOTIFIED).when(other).then(replace(NOTIFIED, kind="contract-signed"))


@pytest.mark.parametrize(
    ("command", "pointers"),
    [
        (replace(REQUEST, customer_id="", customer_name="\u202eada", currency="XXX "), ["id", "name", "currency"]),
        (replace(REQUEST, lines=[], total=0), ["lines"]),
        (replace(REQUEST, lines=ITEMS * MAX_LINES, total=439 * MAX_LINES), ["lines"]),
        (replace(REQUEST, lines=[replace(ITEMS[0], sku="a b", discount=-1)], total=140), ["sku", "discount"]),
        (replace(REQUEST, total=438), ["total"]),
        (replace(REQUEST, confirmed_at=NOON.replace(tzinfo=None)), ["confirmed_at"]),
        (RecordRendering("A" * 64, 0, "", 0, "\n"), ["sha256", "size", "template", "version", "renderer"]),
        (replace(ASK, document_sha256="a" * 63, expires_at=NOON.replace(tzinfo=None)), ["sha256", "expires_at"]),
        (SignContract("", " ", False), ["sha256", "name", "consent"]),
        (SignByLink("", " ", False, "0", "\n", "\u202e"), ["sha", "name", "/consent", "version", "address", "agent"]),
        (replace(BY_LINK, address="1" * 46, user_agent="a" * 501), ["address", "user_agent"]),
        (DeclineContract("\x00"), ["reason"]),
        (WithdrawContract(""), ["reason"]),
        (RecordSeal("", "", 0, ""), ["document_sha256", "sealed_sha256", "size", "certificate"]),
        (RecordNotice("a b", ""), ["kind", "reference"]),
    ],
)
def test_every_fault_is_named(command: Struct, pointers: list[str]) -> None:
    faults = [fault.pointer for fault in _faults(command)]
    assert len(faults) == len(pointers), faults
    assert all(part in pointer for part, pointer in zip(pointers, faults, strict=True)), faults


def _faults(command: Struct) -> list[Any]:
    with pytest.raises(InvalidCommand) as refused:
        check(command, CommandContext("o-1", NOON))
    return list(refused.value.faults)


def test_an_id_that_is_none() -> None:
    Given(CONTRACT, "o 1").when(REQUEST).then_faults("/contract_id")


def test_where_a_request_came_from_may_be_unknown() -> None:
    unknown = replace(BY_LINK, address="", user_agent="")
    contract(*HISTORIES["to_sign"]).when(unknown).then(replace(SIGNED_BY_LINK, address="", user_agent=""))


def test_what_was_signed_before_the_link_is_read_as_signed_by_the_api() -> None:
    old = {"order_id": "o-1", "customer_id": "ada", "document_sha256": DIGEST, "name": "Ada Lovelace"}
    data = msgspec.json.encode({**old, "signed_at": NOON})
    types = EventTypes(CONTRACT.events)
    assert types.decode("ContractSigned", 1, data) == replace(SIGNED, consent_version="")
    assert set(types.marks("ContractSigned", 1)) == {"name"}
    assert set(types.marks("ContractSigned", 2)) == {"name", "address", "user_agent"}


ENDS = (ContractSigned, ContractDeclined, ContractExpired, ContractWithdrawn)
COMMANDS = [REQUEST, *ALLOWED, NOTICE]


@given(st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from([NOON, LATER])), max_size=30))
def test_whatever_comes_a_contract_ends_in_one_way(sent: list[tuple[Any, Any]]) -> None:
    state: Contract | None = None
    ends: list[Any] = []
    for command, at in sent:
        try:
            events = CONTRACT.decide(command, state, CommandContext("o-1", at))
        except (RuleViolation, NoSuchAggregate):
            continue
        for event in events:
            state = CONTRACT.evolve(state, event)
            ends += [event] if isinstance(event, ENDS) else []
            assert getattr(event, "document_sha256", DIGEST) in ("", DIGEST)
    assert len(ends) <= 1
