"""The catalogue: every event, its schemas as others get them, and the AsyncAPI document."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from application import APPLICATION
from infrastructure.application import Application
from infrastructure.integration.asyncapi import asyncapi, envelope_schema
from infrastructure.integration.catalogue import CatalogueEntry, catalogue, envelope_example
from tests.infrastructure.integration.test_publisher import lamps
from tests.support.services import ROOT
from tests.support.tiny import TINY

ENTRIES = catalogue(APPLICATION)
PUBLISHED = [entry for entry in ENTRIES if entry.kind == "integration"]


def entry_of(key: str) -> CatalogueEntry:
    return next(entry for entry in ENTRIES if entry.key == key)


def test_an_event_names_who_writes_and_who_follows_it():
    entry = entry_of("OrderCreated.v2")
    assert entry.producer == "order"
    assert {"view order_details", "process order_fulfilment", "publication ordering"} <= set(entry.consumers)
    assert "consumer payment_charging" in entry_of("ChargeRequested.v1").consumers


def test_a_published_event_names_what_it_is_made_from():
    entry = entry_of("inventory.stock-level-changed.v1")
    assert entry.made_from == ("StockReceived", "StockReserved", "StockReleased", "StockShippedOut")
    assert entry.summary.startswith("There is more or less of an article")


def test_every_event_of_the_application_is_there_once():
    names = {event.name for aggregate in APPLICATION.aggregates for event in aggregate.events}
    assert names <= {entry.name for entry in ENTRIES}
    assert len({entry.key for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_an_example_is_what_the_schema_says(entry: CatalogueEntry):
    Draft202012Validator.check_schema(entry.schema)
    Draft202012Validator(entry.schema).validate(msgspec.json.decode(entry.example))


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.key)
def test_the_schema_of_an_envelope_takes_its_example_and_no_other_event(entry: CatalogueEntry):
    schema = envelope_schema(entry)
    Draft202012Validator.check_schema(schema)
    example: dict[str, Any] = json.loads(envelope_example(entry))
    assert Draft202012Validator(schema).is_valid(example)
    assert not Draft202012Validator(schema).is_valid(example | {"type": "ordering.other.v1"})
    assert not Draft202012Validator(schema).is_valid(example | {"data": {}})
    assert not Draft202012Validator(schema).is_valid(example | {"sequence": "7"})


SPECIFICATION = json.loads((ROOT / "tests/support/asyncapi/asyncapi-3.0.0.json").read_text())


@pytest.mark.parametrize("application", [APPLICATION, Application(TINY.aggregates, publications=(lamps(),))])
def test_the_asyncapi_document_is_valid(application: Application):
    assert list(Draft7Validator(SPECIFICATION).iter_errors(asyncapi(application))) == []


def test_a_wrong_asyncapi_document_would_be_noticed():
    document = asyncapi(APPLICATION)
    document["operations"]["publish-ordering"]["action"] = "shout"
    assert not Draft7Validator(SPECIFICATION).is_valid(document)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [
            *([value["$ref"]] if isinstance(value.get("$ref"), str) else []),
            *(one for inner in value.values() for one in references(inner)),
        ]
    return [one for inner in value for one in references(inner)] if isinstance(value, list) else []


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    document = asyncapi(APPLICATION)
    found = references(document)
    assert len(found) > len(PUBLISHED)
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
