"""Relay, broker and consumer as processes that are killed in turns; and what must hold of what has come."""

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from infrastructure.integration.cloud_event import CloudEvent, structured
from tests.event_relay.brokered import KafkaWire, RabbitMqWire
from tests.event_relay.consuming import number_received, received
from tests.support.kafka_broker import KafkaBroker
from tests.support.rabbitmq_broker import PASSWORD, USER
from tests.support.services import Service, service, until
from tests.support.stock_log import StockLog

_AWAY = "the dependency is away"


class Run:
    """One destination at a broker, the relay that publishes to it and a consumer; `total` events come into the log
    while they are at work."""

    def __init__(
        self, wire: KafkaWire | RabbitMqWire, folder: Path, log: StockLog, total: int, **settings: str
    ) -> None:
        self.wire, self.folder, self.log, self.total = wire, folder, log, total
        self.written = 0
        self.file = folder / "received"
        self.relay = service("event_relay", folder, relay_destinations=self._destinations(), **settings)
        arguments = [*self._source(), str(self.file)]
        self.consumer = Service("consumer", 0, ["tests.event_relay.consuming", *arguments], {}, folder / "consumer.log")
        self.kills = 0

    async def start(self) -> None:
        await self.relay.start()
        await self.consumer.start()

    async def end(self) -> None:
        for one in (self.relay, self.consumer):
            if one.was_started:
                await one.kill()

    async def kill_relay(self) -> None:
        await self.relay.kill()
        await self.relay.start()

    async def kill_consumer(self) -> None:
        await self.consumer.kill()
        await self.consumer.start()

    async def kill_broker(self, away: float = 0.0) -> None:
        """It is gone for `away` seconds, as the one who waits for it sees it."""
        await asyncio.to_thread(self.wire.broker.kill)
        await asyncio.sleep(away)
        await asyncio.to_thread(self.wire.broker.start)

    async def survives(self) -> None:
        """Returns when the broker has written down what it needs after a kill."""
        await self.wire.survives(*([] if isinstance(self.wire, KafkaWire) else [self._own_queue]))

    async def stop_relay(self) -> None:
        """SIGTERM, to which it ends by itself within its grace, whatever it waits for."""
        assert await asyncio.wait_for(self.relay.stop(), 60) == 0

    async def outage_noticed(self) -> None:
        """Waits until the relay says that the broker is away."""
        told = self.relay.log.read_text().count(_AWAY)

        async def noticed() -> bool:
            return self.relay.log.read_text().count(_AWAY) > told

        await until(noticed, "the outage is noticed", 120)

    async def write(self, number: int) -> None:
        """Writes that many more events, as long as there are any to come."""
        number = min(number, self.total - self.written)
        self.written += number
        await self.log.write(number)

    async def come(self, number: int) -> None:
        """Waits for that many more of those written to have come."""
        goal = min(number_received(self.file) + number, self.written)

        async def there() -> bool:
            assert self.relay.running, self.relay.log.read_text()[-3000:]
            assert self.consumer.running, self.consumer.log.read_text()[-3000:]
            return number_received(self.file) >= goal

        await until(there, f"{goal} events have come", 600)

    async def in_turns(self, *faults: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """One fault after another, each while its part of the events is on its way: some before it, some after it has
        begun, so that there is always something to publish."""
        part = (self.total - self.written) // (2 * len(faults))
        for fault in faults:
            async with asyncio.TaskGroup() as at_once:
                at_once.create_task(self.write(part))
                await self.come(1)
                going_on = at_once.create_task(fault())
                at_once.create_task(self.write(part))
                await going_on
            self.kills += 1
        await self.write(self.total)

    async def all_come(self, expected: list[CloudEvent]) -> None:
        ids = {event.id for event in expected}
        looked_at = 0

        async def there() -> bool:
            nonlocal looked_at
            number = number_received(self.file)
            if number < len(ids) or number == looked_at:
                return False
            looked_at = number
            return {one.id for one in received(self.file)} >= ids

        await until(there, "all events have come", 600)

    @property
    def _own_queue(self) -> str:
        assert isinstance(self.wire, RabbitMqWire)
        return f"{self.wire.queue}-client"

    def _source(self) -> list[str]:
        if isinstance(self.wire, KafkaWire):
            return ["kafka", self.wire.broker.servers, self.wire.topic]
        return ["rabbitmq", self.wire.broker.uri, self._own_queue]

    def _destinations(self) -> str:
        one = {"name": "bus", "timeout": 5, "retries": 1, "concurrency": 64}
        if isinstance(self.wire, KafkaWire):
            assert isinstance(self.wire.broker, KafkaBroker)
            properties = {"reconnect.backoff.max.ms": "500"}
            one |= {
                "kind": "kafka",
                "url": f"kafka://{self.wire.broker.servers}/{self.wire.topic}",
                "properties": properties,
            }
        else:
            broker = self.wire.broker
            (self.folder / "secret").write_text(PASSWORD)
            one |= {
                "kind": "rabbitmq",
                "url": f"amqp://{broker.host}:{broker.port}/{self.wire.exchange}",
                "secret_file": "secret",
                "properties": {"user": USER, "heartbeat": "2"},
                # One that the consumer empties, and one for who comes when all is over.
                "queues": {self.wire.queue: ["#"], self._own_queue: ["inventory.#"]},
            }
        path = self.folder / "destinations.json"
        path.write_text(json.dumps({"destinations": [one]}))
        return str(path)


def holds(came: list[CloudEvent], expected: list[CloudEvent]) -> None:
    """Nothing is lost nor added, what came again is the same, and each key's events came in the order of the log."""
    assert len({event.id for event in came}) == len(set(map(structured, came))), "equal ids are equal events"
    once = list({event.id: event for event in reversed(came)}.values())[::-1]
    assert by_key(once) == by_key(expected)


def by_key(events: list[CloudEvent]) -> dict[str, list[CloudEvent]]:
    ordered = sorted(events, key=lambda event: event.partitionkey)
    return {key: list(group) for key, group in itertools.groupby(ordered, key=lambda event: event.partitionkey)}
