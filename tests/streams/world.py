"""All services as processes over the tiny domain with meters, and a client that deletes and cuts streams off."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import NotFound

from embedded.event_store_node.services import protobuf_messages
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.read_store import ReadStore
from ops.views.verification.verifier import Verifier
from tests.support.http_session import http_session
from tests.support.metered_service import METERED
from tests.support.read_store import ReadStoreServer
from tests.support.services import METERED as DOMAIN
from tests.support.services import Service, node_uri, service, start_node, until

Answer = tuple[int, Any]
PATIENT = {"eventstore_retry_timeout": "20"}


class World:
    """`warm` is a command API that keeps what it has handled in memory; `cold` is one that has seen none of it."""

    def __init__(self, folder: Path, node: Service, http: aiohttp.ClientSession, read_store: ReadStore) -> None:
        self.folder = folder
        self.node = node
        self.http = http
        self.read_store = read_store
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.client = AsyncEventStoreDBClient(node_uri(node.port))
        self.warm: Service
        self.cold: Service
        self.projector: Service
        self.queries: Service

    async def command(self, at: Service, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """PUT of `/<plural>/<id>`, POST of everything deeper."""
        method = "PUT" if path.count("/") == 2 else "POST"
        headers = {} if key is None else {"Idempotency-Key": key}
        async with self.http.request(method, at.url + path, json=body or {}, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def done(self, at: Service, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """A command that must succeed; its answer."""
        status, answer = await self.command(at, path, body, key=key)
        assert status in (200, 201), (path, answer)
        return answer

    async def query(self, path: str) -> Answer:
        async with self.http.get(self.queries.url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def drained(self) -> None:
        """Every view has folded the whole log."""
        async with self.http.post(self.projector.url + "/drain?timeout=60") as answer:
            assert answer.status == 200, await answer.text()

    async def rebuilt(self) -> None:
        """Every view is built anew from the log, and the new build is served."""
        for view in METERED.views:
            async with self.http.post(f"{self.projector.url}/views/{view.name}/rebuild") as answer:
                assert answer.status == 202, await answer.text()
        for view in METERED.views:

            async def is_switched(name: str = view.name) -> bool:
                async with self.http.get(f"{self.projector.url}/views/{name}") as answer:
                    return (await answer.json()).get("rebuild") is None

            await until(is_switched, f"{view.name} is served from its new build", 90)
        await self.drained()

    async def different(self) -> list[Any]:
        """What `eventfold views verify` finds."""
        codec = EventCodec(METERED.aggregates)
        verification = await Verifier(METERED.views, codec, self.log, self.read_store).run()
        assert not verification.failures
        return [difference for one in verification.verified for difference in one.differences]

    async def dead_letters(self) -> list[Any]:
        async with self.http.get(self.projector.url + "/dead-letters") as answer:
            return list((await answer.json())["dead_letters"])

    async def delete(self, stream: str) -> None:
        await self.client.delete_stream(stream, current_version=StreamState.ANY)

    async def tombstone(self, stream: str) -> None:
        await self.client.tombstone_stream(stream, current_version=StreamState.ANY)

    async def cut_off(self, stream: str, **metadata: int) -> None:
        """Sets `tb`, `maxCount` or `maxAge`."""
        given = {f"${name}": value for name, value in metadata.items()}
        await self.client.set_stream_metadata(stream, metadata=given, current_version=StreamState.ANY)

    async def scavenged(self) -> None:
        """The node removes for good what can't be read any more."""
        method = "/event_store.client.operations.Operations/StartScavenge"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.node.port}") as channel:
            answer = await channel.unary_unary(method, response_deserializer=protobuf_messages.ScavengeResp.FromString)(
                b"\x0a\x02\x08\x01"
            )
        history = f"$scavenges-{answer.scavenge_id}"

        async def is_complete() -> bool:
            return any(one.type == "$scavengeCompleted" for one in await self.log.read_stream(history))

        await until(is_complete, "the scavenge is complete", 60)

    async def revisions(self, stream: str) -> list[int]:
        """What can still be read of a stream."""
        try:
            return [event.stream_position for event in await self.client.get_stream(stream)]
        except NotFound:
            return []

    async def has_expired(self, stream: str) -> None:
        """Waits until nothing of the stream is left."""

        async def is_empty() -> bool:
            return not await self.revisions(stream)

        await until(is_empty, f"{stream} has expired", 60)

    async def snapshots_up_to(self, stream: str, revision: int) -> None:
        """Waits for the snapshot after that event."""

        async def is_there() -> bool:
            newest = await self.log.read_newest(stream, 1)
            return bool(newest) and b'"revision":%d,' % revision in newest[0].data

        await until(is_there, f"{stream} has a snapshot of {revision}", 60)


@asynccontextmanager
async def world(folder: Path, read_store: ReadStoreServer) -> AsyncIterator[World]:
    """All of it, ready, for the block."""
    async with AsyncExitStack() as stack:
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        database = f"streams_{uuid.uuid4().hex[:8]}"
        store = ReadStore(read_store.uri, database)
        http = await stack.enter_async_context(http_session())
        made = World(folder, node, http, store)
        for close in (store.close, made.log.close, made.client.close):
            stack.push_async_callback(close)
        await made.client.connect()
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri, "mongo_database": database}
        names = ("command_api", "command_api", "projector", "query_api")
        services = [service(name, folder, domain=DOMAIN, **settings, **PATIENT) for name in names]
        made.warm, made.cold, made.projector, made.queries = services
        for one in services:
            await one.start()
            stack.push_async_callback(one.kill)
        for one in services:
            await until(lambda one=one: one.answers("/health/ready"), f"{one.name} is ready", 60)
        yield made
