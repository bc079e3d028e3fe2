"""The queues of a source, as they are declared: quorum queues, so that what was confirmed outlives a broker."""

from typing import Any

from aio_pika.abc import AbstractChannel, AbstractQueue

_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}


async def declare_source(channel: AbstractChannel, name: str, dead_letters: str) -> AbstractQueue:
    """The queue that messages come from.

    One consumer at a time is active. What the broker itself takes out, after too many deliveries, goes to the dead
    letters: where a version of RabbitMQ has a limit of deliveries by default, crashes of ours must not eat messages.
    """
    arguments: dict[str, Any] = {
        **_QUORUM,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_letters,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # which at-least-once asks for
    }
    return await channel.declare_queue(name, durable=True, arguments=arguments)


async def declare_dead_letters(channel: AbstractChannel, name: str) -> AbstractQueue:
    """The queue for dead letters."""
    return await channel.declare_queue(name, durable=True, arguments=_QUORUM)
