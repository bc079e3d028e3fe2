"""Whatever is killed, is away or loses its packets: what a consumer has is the pure mapping of the log, in order a key.

The consumer that lives through it sees each event at least once. One that comes when all is over finds the same.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.event_relay.brokered import KafkaWire, RabbitMqWire
from tests.event_relay.consuming import received
from tests.event_relay.proof import Run, holds
from tests.support.kafka_broker import KafkaBroker, kafka_or_skip
from tests.support.network import THERE, Network, network
from tests.support.rabbitmq_broker import RabbitMqBroker, rabbitmq_or_skip
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import node_uri, start_node
from tests.support.stock_log import StockLog, published

__all__ = ["network"]


def wire_to(broker: KafkaBroker | RabbitMqBroker) -> KafkaWire | RabbitMqWire:
    return KafkaWire(broker, broker.create_topic(8)) if isinstance(broker, KafkaBroker) else RabbitMqWire(broker)


@asynccontextmanager
async def running(
    broker: KafkaBroker | RabbitMqBroker, database: ReadStoreDatabase, folder: Path, events: int, keys: int
) -> AsyncIterator[tuple[Run, str]]:
    node = await start_node(folder)
    settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": database.uri, "mongo_database": database.name}
    # What is done again after a kill is at most a batch.
    log = StockLog(node_uri(node.port), keys)
    run = Run(wire_to(broker), folder, log, events, **settings, consumer_lease="1.5", consumer_batch="256")
    try:
        await run.start()
        await run.write(10)
        yield run, node_uri(node.port)
    finally:
        await run.end()
        await log.close()
        await node.kill()


async def holds_for_all(run: Run, log: str) -> int:
    """Checks it, and returns how many came more than once."""
    expected = await published(log)
    assert len(expected) == run.total
    await run.all_come(expected)
    came = received(run.file)
    holds(came, expected)
    fresh = await run.wire.arrived(len(expected), {event.id for event in expected})
    holds([one.event for one in fresh], expected)
    return len(came) - len(expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kafka", "rabbitmq"])
async def test_a_consumer_has_the_mapping_of_the_log_whoever_is_killed(
    request: pytest.FixtureRequest, read_store_database: ReadStoreDatabase, tmp_path: Path, kind: str
):
    broker = request.getfixturevalue(kind)
    async with running(broker, read_store_database, tmp_path, 1_500, 50) as (run, log):
        await run.come(1)
        await run.survives()
        await run.in_turns(run.kill_relay, run.kill_consumer, run.kill_broker)
        await holds_for_all(run, log)
        await run.stop_relay()


@pytest.fixture(params=["kafka", "rabbitmq"])
def broker_elsewhere(
    request: pytest.FixtureRequest, network: Network, tmp_path: Path
) -> Iterator[KafkaBroker | RabbitMqBroker]:
    """A broker on a host of its own."""
    make: Callable[..., KafkaBroker | RabbitMqBroker] = kafka_or_skip if request.param == "kafka" else rabbitmq_or_skip
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = make(folder, THERE, network.inside)
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_twenty_thousand_events_whoever_is_killed_away_or_cut_off(
    broker_elsewhere: KafkaBroker | RabbitMqBroker,
    network: Network,
    read_store_database: ReadStoreDatabase,
    tmp_path: Path,
):
    async with running(broker_elsewhere, read_store_database, tmp_path, 20_000, 200) as (run, log):

        async def cut_off() -> None:
            """Nothing arrives at either side, without an error, until both have noticed; then all goes on."""
            network.lose_packets()
            await run.outage_noticed()
            network.mend()

        async def away() -> None:
            await run.kill_broker(60.0)

        async def stopped_while_away() -> None:
            """It ends within its grace although what it waits for is not there."""
            run.wire.broker.kill()
            await run.outage_noticed()
            await run.stop_relay()
            run.wire.broker.start()
            await run.relay.start()

        await run.come(1)
        await run.survives()
        turns = (run.kill_broker, run.kill_relay, run.kill_consumer, cut_off)
        await run.in_turns(*turns, away, *turns, stopped_while_away)
        again = await holds_for_all(run, log)
        await run.stop_relay()
        print(f"{run.total} events, {run.kills} faults, {again} came more than once")
