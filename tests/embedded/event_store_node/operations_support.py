"""Helpers of the operations' tests: the calls in few words, and what a log holds."""

import json
from typing import Any

import grpc.aio
from esdbclient import AsyncEventStoreDBClient, RecordedEvent
from esdbclient.exceptions import NotFound, StreamIsDeleted
from node_support import until

from embedded.event_store_node.services import protobuf_messages

STARTED, IN_PROGRESS, STOPPED = 0, 1, 2


class Operations:
    """A stub of the Operations service."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)

    async def __aenter__(self) -> "Operations":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def call(self, method: str, request: bytes = b"", response: Any = None) -> Any:
        return await self._channel.unary_unary(
            f"/event_store.client.operations.Operations/{method}",
            response_deserializer=response.FromString if response else None,
        )(request)

    async def start(self) -> Any:
        return await self.call("StartScavenge", b"\x0a\x02\x08\x01", protobuf_messages.ScavengeResp)

    async def stop(self, scavenge_id: str) -> Any:
        request = protobuf_messages.StopScavengeReq()
        request.options.scavenge_id = scavenge_id
        return await self.call("StopScavenge", request.SerializeToString(), protobuf_messages.ScavengeResp)

    async def scavenge(self, client: AsyncEventStoreDBClient) -> dict[str, Any]:
        """Scavenge and wait for the end. Returns what the node wrote down of it."""
        answer = await self.start()
        assert answer.scavenge_result == STARTED
        return await completion(client, answer.scavenge_id)


async def completion(client: AsyncEventStoreDBClient, scavenge_id: str) -> dict[str, Any]:
    documents: list[dict[str, Any]] = []

    async def is_complete() -> bool:
        events = await read(client, f"$scavenges-{scavenge_id}")
        documents[:] = [json.loads(e.data) for e in events if e.type == "$scavengeCompleted"]
        return bool(documents)

    await until(is_complete)
    return documents[0]


async def read(client: AsyncEventStoreDBClient, stream: str) -> tuple[RecordedEvent, ...]:
    try:
        return await client.get_stream(stream)
    except (NotFound, StreamIsDeleted):
        return ()


async def log(client: AsyncEventStoreDBClient) -> list[RecordedEvent]:
    """All of `$all`, without what scavenges write down of themselves."""
    events = [e async for e in await client.read_all(filter_exclude=())]
    return [e for e in events if not e.stream_name.lstrip("$").startswith("scavenges")]


def names(events: list[RecordedEvent]) -> list[str]:
    return [f"{e.stream_position}@{e.stream_name}" for e in events]
