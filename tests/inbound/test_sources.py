"""The file of sources: what can't be is said at the start, by name."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from inbound.sources import Source, read_sources
from infrastructure.settings import InvalidSettings

TYPES = ("warehouse.stock-delivered.v1", "crm.customer-changed.v1")
KAFKA = {"name": "one", "kind": "kafka", "url": "kafka://k:9092/in", "types": ["warehouse.*"], "dead_letters": "dead"}
RABBIT = {**KAFKA, "kind": "rabbitmq", "url": "amqp://me@r/shop", "queue": "in"}


def read(folder: Path, *sources: dict[str, Any]) -> tuple[Source, ...]:
    path = folder / "sources.json"
    path.write_bytes(msgspec.json.encode({"sources": list(sources)}))
    return read_sources(path, TYPES)


def test_what_is_in_it(tmp_path: Path):
    kafka, rabbit = read(
        tmp_path, KAFKA, {**RABBIT, "name": "two", "limits": {"buffer": 5}, "ignore": ["warehouse.x.*"]}
    )
    assert kafka.kafka_topic() == ("k:9092", "in")
    assert (kafka.consumer, kafka.consumer_group) == ("inbound_one", "eventfold-inbound_one")
    assert rabbit.limits.buffer == 5
    assert rabbit.ignores("warehouse.x.v1")
    assert not rabbit.takes("crm.customer-changed.v1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([KAFKA, KAFKA], "two sources are named one"),
        ([{**KAFKA, "kind": "mqtt"}], "kind"),
        ([{**KAFKA, "url": "http://k/in"}], "source one: the url is not of the form kafka://"),
        ([{**KAFKA, "queue": "q"}], "a queue is RabbitMQ's"),
        ([{**KAFKA, "dead_letters": "in"}], "its dead letters would come back from in"),
        ([{**KAFKA, "types": ["billing.*"]}], "no message that is taken is 'billing.\\*'"),
        ([{**KAFKA, "types": []}], "types"),
        ([{**KAFKA, "surprise": 1}], "surprise"),
        ([{**RABBIT, "url": "amqp://me:secret@r/"}], "without a password"),
        ([{**RABBIT, "queue": ""}], "RabbitMQ needs a queue"),
        ([{**RABBIT, "dead_letters": "in"}], "its dead letters would come back from in"),
        ([{**RABBIT, "group": "g"}], "group and properties are Kafka's"),
        ([{**KAFKA, "limits": {"concurrency": 0}}], "concurrency"),
    ],
)
def test_what_can_not_be(tmp_path: Path, given: list[dict[str, Any]], said: str):
    with pytest.raises(InvalidSettings, match=said):
        read(tmp_path, *given)


def test_files_that_can_not_be_read(tmp_path: Path):
    with pytest.raises(InvalidSettings, match="can't be read"):
        read_sources(tmp_path / "none.toml", TYPES)
    [one] = read(tmp_path, {**RABBIT, "secret_file": "none"})
    with pytest.raises(InvalidSettings, match=r"source one: .*none can't be read"):
        one.secret(tmp_path)
