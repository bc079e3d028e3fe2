"""Writes that the node makes itself, awaited."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

from embedded.event_store_node.log.events import JSON_CONTENT_TYPE, ProposedEvent
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Kind, Outcome, WriteRequest


def new_id() -> bytes:
    return uuid4().bytes


def json_event(type_: str, data: bytes, metadata: bytes = b"", id_: UUID | None = None) -> ProposedEvent:
    return ProposedEvent(id_.bytes if id_ else new_id(), type_, JSON_CONTENT_TYPE, metadata, data)


async def append(writer: Writer, stream: str, expected: int, events: Sequence[ProposedEvent]) -> Outcome:
    """Append events and wait until they are durable, or refused."""
    await writer.room()
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    writer.submit(
        WriteRequest(
            Kind.APPEND,
            stream,
            expected,
            events,
            on_done=lambda outcome: None if done.done() else done.set_result(outcome),
            size=sum(event.size for event in events),
        )
    )
    return await done
