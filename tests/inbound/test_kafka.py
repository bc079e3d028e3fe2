"""Messages from a real Kafka to real services, while these and the broker are killed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infrastructure.inbound.messages import IncomingMessage
from ops.cli import main
from tests.inbound.senders import dead_in_kafka, sent_to_kafka, structured
from tests.inbound.shop import Shop, ask, shop, started
from tests.inbound.world import V1, V2, delivery, message
from tests.support.kafka_broker import KafkaBroker
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, until


def source(kafka: KafkaBroker, topic: str, dead_letters: str, **given: Any) -> dict[str, Any]:
    properties = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500", "statistics.interval.ms": "500"}
    return {
        "name": "warehouse",
        "kind": "kafka",
        "url": f"kafka://{kafka.servers}/{topic}",
        "group": f"group-{topic}",
        "types": ["warehouse.*"],
        "dead_letters": dead_letters,
        "properties": properties,
        **given,
    }


def deliveries(skus: int, first: int, last: int) -> list[IncomingMessage]:
    """One a number and article, whose quantity is the number."""
    return [
        delivery(f"{sku}-{number}", f"sku-{sku}", number) for number in range(first, last + 1) for sku in range(skus)
    ]


async def all_in(shop: Shop, skus: int, last: int) -> None:
    """Waits until the last number of every article has come in; each has come once, in order."""

    async def has_come() -> bool:
        return all([last in await shop.received(f"sku-{sku}") for sku in range(skus)])

    await until(has_come, "all deliveries have come", 120)
    for sku in range(skus):
        assert await shop.received(f"sku-{sku}") == list(range(1, last + 1))


async def rounds(kafka: KafkaBroker, shop: Shop, topic: str, services: list[Service], skus: int, each: int) -> None:
    """Sends in four parts, each message twice; between them a process is killed, another comes, the broker is killed,
    and one process is stopped."""
    one, two = services

    async def send(part: int) -> None:
        sent = deliveries(skus, part * each + 1, (part + 1) * each)
        await asyncio.to_thread(sent_to_kafka, kafka, topic, sent, 2)

    await send(0)
    await one.kill()
    await send(1)
    await one.start()  # a rebalance, while there is work
    await send(2)
    kafka.kill()
    await asyncio.to_thread(kafka.start)
    await send(3)
    assert await two.stop() == 0
    await all_in(shop, skus, 4 * each)


async def test_each_delivery_counts_once_in_order_when_a_process_is_killed(
    kafka: KafkaBroker, read_store_database: ReadStoreDatabase, tmp_path: Path
):
    topic, dead = kafka.create_topic(4), kafka.create_topic(1)
    async with shop(tmp_path, read_store_database) as world:
        services = [world.inbound([source(kafka, topic, dead)]) for _ in range(2)]
        async with started(*services):
            await asyncio.to_thread(sent_to_kafka, kafka, topic, deliveries(6, 1, 5), 2)
            await services[0].kill()
            await asyncio.to_thread(sent_to_kafka, kafka, topic, deliveries(6, 6, 10), 2)
            await all_in(world, 6, 10)
            listed = await ask("GET", f"{services[1].url}/dead-letters")
            assert listed["dead_letters"] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_each_of_thousands_counts_once_whatever_is_killed(
    kafka: KafkaBroker, read_store_database: ReadStoreDatabase, tmp_path: Path
):
    topic, dead = kafka.create_topic(8), kafka.create_topic(1)
    async with shop(tmp_path, read_store_database) as world:
        services = [world.inbound([source(kafka, topic, dead)]) for _ in range(2)]
        async with started(*services):
            await rounds(kafka, world, topic, services, skus=40, each=25)


BAD = {
    "not-a-cloud-event": [
        message(V1, b"{no json", "no-json", key="a"),
        IncomingMessage("q", b"{}", {}, key="b"),
        message(V1, {"sku": "c"}, "", key="c"),
    ],
    "unknown-type": [message("billing.paid.v1", {}, "unknown", key="d")],
    "unknown-version": [message("warehouse.stock-delivered.v9", {"sku": "e"}, "future", key="e")],
    "schema": [message(V1, {"delivery_id": "f", "sku": "f", "quantity": -1}, "schema", key="f")],
    "refused": [message(V2, {"delivery_id": "g", "lines": [{"sku": "not an id", "quantity": 1}]}, "refused", key="g")],
    "too-large": [message(V1, b'"' + b"x" * 10_000_000 + b'"', "large", key="h")],
}


async def test_what_can_not_be_handled_stays_out_of_the_way(
    kafka: KafkaBroker,
    read_store_database: ReadStoreDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    topic, dead = kafka.create_topic(2, max_message_bytes="20000000"), kafka.create_topic(1)
    bad = [one for group in BAD.values() for one in group]
    good = [
        delivery("good-1", "tea", 1),
        structured(V1, {"delivery_id": "good-2", "sku": "tea", "quantity": 2}, "good-2", "tea"),
        delivery("behind", "f", 5),
    ]
    async with shop(tmp_path, read_store_database) as world:
        inbound = world.inbound([source(kafka, topic, dead)])
        async with started(inbound):
            await asyncio.to_thread(sent_to_kafka, kafka, topic, [*bad, *good])

            async def is_done() -> bool:
                return await world.received("tea") == [1, 2] and len(await listed()) == len(bad) + 1

            async def listed() -> list[dict[str, Any]]:
                return list((await ask("GET", f"{inbound.url}/dead-letters"))["dead_letters"])

            await until(is_done, "the good ones are handled and the bad ones set aside", 60)
            letters = await asyncio.to_thread(dead_in_kafka, kafka, dead, len(bad) + 1)
            found = sorted(headers["eventfold-error-class"].decode() for headers, _ in letters)
            assert found == sorted([*(name for name, group in BAD.items() for _ in group), "behind"])
            [large] = [one for one in letters if one[0]["eventfold-error-class"] == b"too-large"]
            assert (large[0]["eventfold-body-omitted"], large[1]) == (b"10000002", None)
            [refused] = [one for one in letters if one[0]["eventfold-error-class"] == b"refused"]
            assert refused[0]["eventfold-error-code"] == b"invalid-command"
            assert refused[0]["ce_id"] == b"refused"
            assert refused[0]["eventfold-source"] == topic.encode()

            async def command(*arguments: str) -> tuple[int, str]:
                capsys.readouterr()
                given = ["inbox", "dead-letters", arguments[0], "--inbound", inbound.url, *arguments[1:]]
                code = await asyncio.to_thread(main, given)
                return code, capsys.readouterr().out

            code, printed = await command("list", "--key", "f")
            assert code == 0
            assert "schema" in printed
            assert "behind" in printed
            [first, behind] = [one for one in await listed() if one["keys"] == ["f"]]
            assert (first["first"], behind["first"]) == (True, False)
            code, printed = await command("show", "inbound_warehouse", str(first["position"]))
            assert '"quantity": -1' in printed
            assert first["group"] in printed
            groups = (await ask("GET", f"{inbound.url}/dead-letters/groups?consumer=inbound_warehouse"))["groups"]
            assert sum(one["count"] for one in groups) == len(bad) + 1
            assert {one["group"] for one in groups} == {one["group"] for one in await listed()}
            code, printed = await command("retry", "inbound_warehouse", "f")
            assert code == 1
            assert "0 replayed, 2 remaining" in printed
            code, printed = await command(
                *("discard", "inbound_warehouse", str(first["position"]), "--reason", "no such thing", "--yes")
            )
            assert (code, printed) == (0, "inbound_warehouse: 1 discarded, 1 replayed, 0 remaining\n")
            assert await world.received("f") == [5]
            told = await ask("GET", f"{inbound.url}/messages?consumer=inbound_warehouse&source=urn:test&id=schema")
            assert (told["state"], told["reason"]) == ("discarded", "no such thing")
            told = await ask("GET", f"{inbound.url}/messages?consumer=inbound_warehouse&source=urn:test&id=behind")
            assert told["state"] == "handled"
            # The same again: known, and set aside no more.
            await asyncio.to_thread(sent_to_kafka, kafka, topic, [*bad, *good, delivery("good-3", "tea", 3)])
            await until(lambda: is_last(world, 3), "what comes after is handled", 60)
            assert await world.received("tea") == [1, 2, 3]

            # What has an id is known, also where its data can't be read; two have none, and stand in other places now.
            async def are_set_aside() -> bool:
                return len(await listed()) >= len(bad) - 1 + 2

            await until(are_set_aside, "those that have no id are set aside again", 60)
            assert len(await listed()) == len(bad) - 1 + 2

            [unknown] = [one for one in await listed() if one["keys"] == ["d"]]
            of_group = ("discard", "inbound_warehouse", "--group", unknown["group"], "--reason", "not ours", "--yes")
            code, printed = await command(*of_group)
            assert code == 0, printed
            assert "1 discarded, 0 replayed, 0 remaining" in printed
            assert len(await listed()) == len(bad) - 1 + 2 - 1
            told = await ask("GET", f"{inbound.url}/messages?consumer=inbound_warehouse&source=urn:test&id=unknown")
            assert (told["state"], told["reason"]) == ("discarded", "not ours")
            audit = (await ask("GET", f"{inbound.url}/dead-letters/history?consumer=inbound_warehouse"))["entries"]
            assert {(one["action"], one["reason"]) for one in audit} >= {("discard", "not ours")}


async def is_last(world: Shop, quantity: int) -> bool:
    return (await world.received("tea"))[-1] == quantity
