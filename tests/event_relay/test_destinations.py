"""The file of destinations: what is read from it, and what is refused, with its name."""

import json
from pathlib import Path
from typing import Any

import pytest

from event_relay.deliveries import delivery_of
from event_relay.destinations import read_destinations
from infrastructure.settings import InvalidSettings

TYPES = ["ordering.order-placed.v1", "ordering.order-shipped.v1", "inventory.stock-level-changed.v1"]
GOOD = {"name": "warehouse", "kind": "webhook", "url": "https://w.example/events?a=b", "secret_file": "w.secret"}


def written(folder: Path, *destinations: dict[str, Any]) -> Path:
    path = folder / "destinations.json"
    path.write_text(json.dumps({"destinations": destinations}))
    return path


def test_toml_and_json_say_the_same(tmp_path: Path):
    toml = tmp_path / "destinations.toml"
    toml.write_text(
        '[[destinations]]\nname = "warehouse"\nkind = "webhook"\nurl = "https://w.example/events?a=b"\n'
        'secret_file = "w.secret"\n'
    )
    assert read_destinations(toml, TYPES) == read_destinations(written(tmp_path, GOOD), TYPES)


def test_a_destination_takes_the_types_that_match(tmp_path: Path):
    [one] = read_destinations(written(tmp_path, GOOD | {"types": ["ordering.*", "*.stock-level-changed.v1"]}), TYPES)
    assert [cloud_type for cloud_type in TYPES if one.wants(cloud_type)] == TYPES
    [one] = read_destinations(written(tmp_path, GOOD | {"types": ["ordering.order-placed.v1"]}), TYPES)
    assert [cloud_type for cloud_type in TYPES if one.wants(cloud_type)] == TYPES[:1]
    assert one.consumer == "relay_warehouse"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "Ware House"}, "name"),
        ({"kind": "pigeon"}, "kind"),
        ({"types": ["billing.*"]}, "warehouse: nothing that is published is 'billing.*'"),
        ({"types": []}, "types"),
        ({"url": "ftp://w.example/"}, "warehouse: the url"),
        ({"url": "https://user:secret@w.example/"}, "warehouse: the url"),
        ({"url": "/events"}, "warehouse: the url"),
        ({"url": "http://[::1"}, "warehouse: the url"),
        ({"timeout": 0}, "timeout"),
        ({"colour": "red"}, "colour"),
        ({"secret_file": ""}, "warehouse: a webhook has a secret_file"),
        ({"kind": "kafka"}, "warehouse: the url is not of the form kafka://"),
        ({"kind": "rabbitmq"}, "warehouse: the url is not of the form amqp://server:port/exchange"),
        ({"kind": "rabbitmq", "url": "amqp://user:secret@w.example:1/a"}, "warehouse: the url"),
        ({"queues": {"a": ["#"]}}, "warehouse: queues are for rabbitmq"),
        ({"properties": {"a": "b"}}, "warehouse: a webhook has no properties"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path: Path, change: dict[str, Any], what: str):
    with pytest.raises(InvalidSettings) as refused:
        read_destinations(written(tmp_path, GOOD | change), TYPES)
    assert what in str(refused.value)
    assert "secret@" not in str(refused.value)


def test_kafka_is_servers_and_a_topic(tmp_path: Path):
    kafka = {"name": "bus", "kind": "kafka", "url": "kafka://a:9092,b:9092/eventfold.ordering"}
    [one] = read_destinations(written(tmp_path, kafka), TYPES)
    assert one.kafka_topic() == ("a:9092,b:9092", "eventfold.ordering")


def test_rabbitmq_is_servers_and_an_exchange(tmp_path: Path):
    rabbitmq = {
        "name": "bus",
        "kind": "rabbitmq",
        "url": "amqp://a:5672,b:5672/ordering",
        "queues": {"w": ["ordering.#"]},
    }
    [one] = read_destinations(written(tmp_path, rabbitmq), TYPES)
    assert one.rabbitmq_exchange() == (["a:5672", "b:5672"], "ordering", False)
    [one] = read_destinations(written(tmp_path, rabbitmq | {"url": "amqps://a:5671/ordering"}), TYPES)
    assert one.rabbitmq_exchange() == (["a:5671"], "ordering", True)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "kafka", "url": "kafka://a:1/t", "properties": {"colour": "red"}}, 'bus: .*"colour"'),
        ({"kind": "kafka", "url": "kafka://a:1/t", "secret_file": "none"}, "bus: .*none can't be read"),
        ({"kind": "kafka", "url": "kafka://a:1/t", "secret_file": "empty"}, "bus: .*empty is empty"),
        ({"kind": "rabbitmq", "url": "amqp://a:1/t", "properties": {"colour": "red"}}, "bus: .*'colour'"),
        ({"kind": "rabbitmq", "url": "amqp://a:99999/t"}, "bus: 'a:99999' is not"),
        ({"kind": "rabbitmq", "url": "amqps://a:1/t", "properties": {"ca_file": "none"}}, "bus: the certificates"),
        ({"kind": "rabbitmq", "url": "amqp://a:1/t", "secret_file": "latin"}, "bus: .*latin is no UTF-8"),
    ],
)
def test_what_a_broker_can_not_be_given_is_said_at_the_start(tmp_path: Path, change: dict[str, Any], what: str):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xff")
    [one] = read_destinations(written(tmp_path, {"name": "bus", **change}), TYPES)
    with pytest.raises(InvalidSettings, match=what):
        delivery_of(one, tmp_path)


def test_two_of_a_name_are_refused(tmp_path: Path):
    with pytest.raises(InvalidSettings, match="two destinations are named warehouse"):
        read_destinations(written(tmp_path, GOOD, GOOD), TYPES)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"{}"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes):
    for name in ("d.json", "d.toml"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidSettings, match=name):
            read_destinations(tmp_path / name, TYPES)
    with pytest.raises(InvalidSettings, match="can't be read"):
        read_destinations(tmp_path / "none.toml", TYPES)


def test_a_secret_is_read_beside_the_file_and_has_a_length(tmp_path: Path):
    [one] = read_destinations(written(tmp_path, GOOD), TYPES)
    with pytest.raises(InvalidSettings, match=r"warehouse: .*can't be read"):
        one.secret(tmp_path)
    (tmp_path / "w.secret").write_text("short\n")
    with pytest.raises(InvalidSettings, match="fewer than 16 bytes"):
        one.secret(tmp_path)
    (tmp_path / "w.secret").write_text("long enough for a secret\n")
    assert one.secret(tmp_path) == b"long enough for a secret"
