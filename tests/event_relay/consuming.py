"""A consumer of another company: takes events from a broker and appends them to a file, until it is killed.

    python -m tests.event_relay.consuming kafka SERVERS TOPIC FILE
    python -m tests.event_relay.consuming rabbitmq URI QUEUE FILE

It acknowledges what stands in the file, so that what it took and did not write comes again.
"""

import asyncio
import os
import sys
from pathlib import Path

import aio_pika
from confluent_kafka import Consumer

from infrastructure.integration.cloud_event import CloudEvent, from_amqp, from_kafka, from_structured, structured


class Received:
    """The file, one event a line; a line that a kill has cut is taken off."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        content = path.read_bytes()
        self._file.truncate(content.rfind(b"\n") + 1)

    def add(self, events: list[CloudEvent]) -> None:
        self._file.write(b"".join(structured(event) + b"\n" for event in events))
        self._file.flush()


def received(path: Path) -> list[CloudEvent]:
    """What stands in the file."""
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [from_structured(line) for line in whole.splitlines()]


def number_received(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def consume_kafka(servers: str, topic: str, received: Received) -> None:
    settings = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    quick = {"reconnect.backoff.max.ms": 500, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "warehouse", **settings, **quick})
    consumer.subscribe([topic])
    while True:
        messages = [one for one in consumer.consume(200, 0.1) if one.error() is None]
        if messages:
            received.add([from_kafka(dict(one.headers()), one.value()) for one in messages])
            consumer.commit(message=messages[-1], asynchronous=True)


async def consume_rabbitmq(uri: str, queue: str, received: Received) -> None:
    while True:
        try:
            async with await aio_pika.connect(f"{uri}?heartbeat=2") as connection:
                channel = await connection.channel()
                await channel.set_qos(200)
                async with (await channel.get_queue(queue)).iterator() as messages:
                    async for one in messages:
                        received.add([from_amqp(one.headers, one.content_type or "", one.body)])
                        await one.ack()
        except (aio_pika.exceptions.AMQPError, OSError, RuntimeError, asyncio.CancelledError):
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    broker, where, name, file = sys.argv[1:]
    os.setpgid(0, 0)
    if broker == "kafka":
        consume_kafka(where, name, Received(Path(file)))
    else:
        asyncio.run(consume_rabbitmq(where, name, Received(Path(file))))
