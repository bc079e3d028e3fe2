"""Which commands each message becomes, and which messages are none."""

import json
from typing import Any

import pytest

from application import APPLICATION
from domain.customers.commands import ChangeAddress, ChangeEmail, ChangeName, PostalAddress, RegisterCustomer
from domain.inventory.commands import ReceiveStock
from domain.model.inbound import InboundContract, InboundMessage, every_command
from inbound.reading import Reader, Unusable, message_id
from infrastructure.application import Application
from infrastructure.inbound.messages import IncomingMessage
from tests.inbound.world import CHANGED, CRM, V1, V2, WAREHOUSE, message

LINES = [{"sku": "tea", "quantity": 2}, {"sku": "mug", "quantity": 3}, {"sku": "tea", "quantity": 1}]
ADDRESS = {"street": "1 Way", "city": "Bath", "postal_code": "BA1", "country": "GB"}
ADA = {"customer_id": "ada", "name": "Ada", "email": "ada@example.com"}


def commands(incoming: IncomingMessage, source: Any = WAREHOUSE) -> list[tuple[str, str, Any]]:
    reader = Reader(source, APPLICATION.inbound)
    found = every_command(reader.commands(reader.arrival(incoming)))
    return [(one.category, one.aggregate_id, one.command) for one in found]


def test_deliveries_become_receipts():
    one = {"delivery_id": "d", "sku": "tea", "quantity": 2, "of_a_later_release": True}
    assert commands(message(V1, one)) == [("stock", "tea", ReceiveStock(2))]
    assert commands(message(V2, {"delivery_id": "d", "lines": LINES})) == [
        ("stock", "tea", ReceiveStock(2)),
        ("stock", "mug", ReceiveStock(3)),
        ("stock", "tea", ReceiveStock(1)),
    ]


@pytest.mark.parametrize(
    ("address", "expected"), [(None, None), (ADDRESS, PostalAddress("1 Way", "Bath", "BA1", "GB"))]
)
def test_a_customer_is_registered_or_changed(address: Any, expected: Any):
    assert commands(message(CHANGED, {**ADA, "address": address}), CRM) == [
        ("customer", "ada", RegisterCustomer("Ada", "ada@example.com", expected)),
        ("customer", "ada", ChangeName("Ada")),
        ("customer", "ada", ChangeEmail("ada@example.com")),
        ("customer", "ada", ChangeAddress(expected)),
    ]


GOOD = {"delivery_id": "d", "sku": "tea", "quantity": 2}


@pytest.mark.parametrize(
    ("incoming", "error_class", "reason"),
    [
        (message(V1, b"{not json"), "not-a-cloud-event", "the data is no JSON"),
        (message(V1, b""), "not-a-cloud-event", "there is no data"),
        (message(V1, b"[" * 5_000), "not-a-cloud-event", "the data is no JSON"),
        (message(V1, b'"\xff"'), "not-a-cloud-event", "the data is no JSON"),
        (message(V1, GOOD, ""), "not-a-cloud-event", "the attribute id is missing"),
        (message(V1, GOOD, source=""), "not-a-cloud-event", "the attribute source is missing"),
        (message("", GOOD), "not-a-cloud-event", "the attribute type is missing"),
        (message(V1, GOOD, specversion="2.0"), "not-a-cloud-event", "'2.0' is not 1.0"),
        (message(V1, GOOD, subject="x" * 2_000), "not-a-cloud-event", "subject has more than 1024"),
        (IncomingMessage("q", b"{}", {}), "not-a-cloud-event", "no CloudEvent: neither"),
        (IncomingMessage("q", b"[]", {}, "application/cloudevents-batch+json"), "not-a-cloud-event", "a batch"),
        (IncomingMessage("q", b"{", {}, "application/cloudevents+json"), "not-a-cloud-event", "no event in JSON"),
        (IncomingMessage("q", b"{}", {}, header_fault="the header x is no UTF-8"), "not-a-cloud-event", "header x"),
        (message("billing.invoice-sent.v1", GOOD), "unknown-type", "nobody here knows"),
        (message("no version", GOOD), "unknown-type", "nobody here knows"),
        (message(CHANGED, ADA), "unknown-type", "is not set to take"),
        (message("warehouse.stock-delivered.v3", GOOD), "unknown-version", "newer than a version that is taken"),
        (message("warehouse.stock-delivered.v0", GOOD), "unknown-version", "the newest is 2"),
        (message(V1, {**GOOD, "quantity": 0}), "schema", "quantity"),
        (message(V1, {**GOOD, "quantity": "2"}), "schema", "Expected `int`"),
        (message(V1, {"sku": "tea"}), "schema", "delivery_id"),
        (message(V2, {"delivery_id": "d", "lines": []}), "schema", "lines"),
        (message(V1, {**GOOD, "more": "x" * 10_000}), "too-large", "at most 10000 are taken"),
    ],
)
def test_what_can_be_no_command_says_why(incoming: IncomingMessage, error_class: str, reason: str):
    reader = Reader(WAREHOUSE, APPLICATION.inbound)
    with pytest.raises(Unusable, match=reason) as unusable:
        reader.commands(reader.arrival(incoming))
    assert unusable.value.error_class == error_class


def test_a_mapping_that_fails_is_told_from_a_schema():
    broken = InboundMessage("broken", 1, ReceiveStock, lambda _: 1 / 0, ReceiveStock(1))  # type: ignore[arg-type,return-value]
    reader = Reader(WAREHOUSE, [InboundContract("warehouse", (broken,))])
    with pytest.raises(Unusable, match="ZeroDivisionError") as unusable:
        reader.commands(reader.arrival(message("warehouse.broken.v1", {"quantity": 1})))
    assert unusable.value.error_class == "mapping"


def test_the_same_event_has_the_same_id_in_each_mapping():
    reader = Reader(WAREHOUSE, APPLICATION.inbound)
    whole = {"specversion": "1.0", "id": "m-1", "source": "urn:test", "type": V1, "data": GOOD, "partitionkey": "p"}
    structured = IncomingMessage("q", json.dumps(whole).encode(), {}, "application/cloudevents+json; charset=utf-8")
    attributes = {name: str(whole[name]) for name in ("specversion", "id", "source", "type", "partitionkey")}
    ours = [reader.arrival(structured)]
    for prefix in ("ce_", "cloudEvents_", "cloudEvents:"):
        headers = {f"{prefix}{name}": value for name, value in attributes.items()}
        ours.append(reader.arrival(IncomingMessage("other", json.dumps(GOOD).encode(), headers, "", "broker's key")))
    assert {one.id for one in ours} == {message_id("warehouse", "urn:test", "m-1")}
    assert {one.key for one in ours} == {"p"}
    first, *others = [reader.commands(one) for one in ours]
    assert others == [first] * 3


def test_an_id_is_of_its_source_alone():
    assert message_id("a", "b", "c") != message_id("a", "c", "b")
    assert message_id("a", "b|1:c", "d") != message_id("a", "b", "c|1:d")


def test_the_order_is_kept_by_what_the_sender_says():
    reader = Reader(WAREHOUSE, APPLICATION.inbound)
    assert reader.arrival(message(V1, GOOD, subject="s")).key == "s"
    assert reader.arrival(message(V1, GOOD, subject="s", key="k")).key == "k"
    assert reader.arrival(message(V1, GOOD, subject="s", key="k", partitionkey="p")).key == "p"
    assert reader.arrival(message(V1, b"{", subject="s", key="k")).key == "k"
    alone = [reader.arrival(message(V1, GOOD, one)).lane for one in ("a", "b")]
    assert alone[0] != alone[1]


def test_what_has_no_id_is_known_by_its_place_and_content():
    reader = Reader(WAREHOUSE, APPLICATION.inbound)
    first = reader.arrival(IncomingMessage("q", b"?", {}, partition=0, offset=1))
    assert first.id == reader.arrival(IncomingMessage("q", b"?", {}, partition=0, offset=1)).id
    assert first.id != reader.arrival(IncomingMessage("q", b"?", {}, partition=0, offset=2)).id
    assert first.id != reader.arrival(IncomingMessage("q", b"!", {}, partition=0, offset=1)).id


@pytest.mark.parametrize("contract", APPLICATION.inbound, ids=lambda one: one.system)
def test_each_example_becomes_commands(contract: InboundContract):
    for one in contract.messages:
        assert one.commands(one.example)


def test_a_command_that_no_aggregate_takes_is_found_at_the_start():
    contract = APPLICATION.inbound[0]
    with pytest.raises(ValueError, match="no aggregate stock takes ReceiveStock"):
        Application(aggregates=(), inbound=(contract,))
