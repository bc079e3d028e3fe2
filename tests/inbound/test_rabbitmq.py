"""Messages from a real RabbitMQ to real services, while these and the broker are killed."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.inbound.senders import dead_in_rabbitmq, sent_to_rabbitmq
from tests.inbound.shop import Shop, ask, shop, started
from tests.inbound.test_kafka import BAD, all_in, deliveries
from tests.inbound.world import customer, delivery
from tests.support.rabbitmq_broker import PASSWORD, USER, RabbitMqBroker
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, until


def source(rabbitmq: RabbitMqBroker, folder: Path, **given: Any) -> dict[str, Any]:
    (folder / "rabbitmq.secret").write_text(PASSWORD)
    name = uuid.uuid4().hex[:12]
    return {
        "name": "warehouse",
        "kind": "rabbitmq",
        "url": f"amqp://{USER}@{rabbitmq.host}:{rabbitmq.port}/",
        "secret_file": "rabbitmq.secret",
        "queue": f"deliveries-{name}",
        "types": ["warehouse.*"],
        "dead_letters": f"dead-{name}",
        **given,
    }


async def rounds(
    rabbitmq: RabbitMqBroker, shop: Shop, queue: str, services: list[Service], skus: int, each: int
) -> None:
    """As those of Kafka: each message is sent twice, while the active process, the broker and the other are killed."""
    one, two = services

    async def send(part: int) -> None:
        await sent_to_rabbitmq(rabbitmq, queue, deliveries(skus, part * each + 1, (part + 1) * each), 2)

    await send(0)
    await one.kill()  # the other takes over
    await send(1)
    await one.start()
    await until(lambda: _keeps(rabbitmq, queue), "the broker has written down that there is the queue", 30)
    rabbitmq.kill()
    await asyncio.to_thread(rabbitmq.start)
    await send(2)
    assert await two.stop() == 0
    await all_in(shop, skus, 3 * each)


async def _keeps(rabbitmq: RabbitMqBroker, queue: str) -> bool:
    return rabbitmq.keeps(queue)


async def test_each_delivery_counts_once_in_order_when_a_process_is_killed(
    rabbitmq: RabbitMqBroker, read_store_database: ReadStoreDatabase, tmp_path: Path
):
    one = source(rabbitmq, tmp_path)
    async with shop(tmp_path, read_store_database) as world:
        services = [world.inbound([one]) for _ in range(2)]
        async with started(*services):
            await sent_to_rabbitmq(rabbitmq, one["queue"], deliveries(6, 1, 5), 2)
            await services[0].kill()
            await sent_to_rabbitmq(rabbitmq, one["queue"], deliveries(6, 6, 10), 2)
            await all_in(world, 6, 10)
            assert (await ask("GET", f"{services[1].url}/dead-letters"))["dead_letters"] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_each_of_thousands_counts_once_whatever_is_killed(
    rabbitmq: RabbitMqBroker, read_store_database: ReadStoreDatabase, tmp_path: Path
):
    one = source(rabbitmq, tmp_path)
    async with shop(tmp_path, read_store_database) as world:
        services = [world.inbound([one]) for _ in range(2)]
        async with started(*services):
            await rounds(rabbitmq, world, one["queue"], services, skus=40, each=30)


async def test_what_can_not_be_handled_stays_out_of_the_way_and_customers_have_the_last_state(
    rabbitmq: RabbitMqBroker, read_store_database: ReadStoreDatabase, tmp_path: Path
):
    ours = source(rabbitmq, tmp_path)
    crm = source(rabbitmq, tmp_path, name="crm", types=["crm.*"])
    bad = [one for group in BAD.values() for one in group]
    async with shop(tmp_path, read_store_database) as world:
        inbound = world.inbound([ours, crm])
        async with started(inbound):
            sent = [*bad, delivery("good-1", "tea", 1), delivery("good-2", "tea", 2)]
            await sent_to_rabbitmq(rabbitmq, ours["queue"], sent)
            await sent_to_rabbitmq(rabbitmq, crm["queue"], [customer(f"c-{one}", f"Ada {one}") for one in range(3)], 2)

            async def is_done() -> bool:
                listed = await ask("GET", f"{inbound.url}/dead-letters")
                changes = await world.events("customer-ada")
                # Registered once, then changed twice, in three respects.
                done = await world.received("tea") == [1, 2] and len(listed["dead_letters"]) == len(bad)
                return done and len(changes) == 7

            await until(is_done, "the good ones are handled and the bad ones set aside", 60)
            kinds = [kind for kind, _ in await world.events("customer-ada")]
            each = ["CustomerRenamed", "CustomerEmailChanged", "CustomerAddressChanged"]
            assert kinds == ["CustomerRegistered", *each, *each]
            letters = await dead_in_rabbitmq(rabbitmq, ours["dead_letters"], len(bad))
            found = sorted(str(headers["eventfold-error-class"]) for headers, _ in letters)
            assert found == sorted(name for name, group in BAD.items() for _ in group)
            [large] = [body for headers, body in letters if headers["eventfold-error-class"] == "too-large"]
            assert len(large) == 10_000_002
            [queue] = [headers for headers, _ in letters if headers["eventfold-error-class"] == "refused"]
            assert queue["eventfold-source"] == ours["queue"]
