"""Helpers of the projections' tests: the generated stub in few words (the async client lacks these methods)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from esdbclient import AsyncEventStoreDBClient, RecordedEvent
from esdbclient.exceptions import NotFound
from esdbclient.protos.Grpc import projections_pb2
from esdbclient.protos.Grpc.projections_pb2_grpc import ProjectionsStub
from node_support import until

NAMES = ["$streams", "$stream_by_category", "$by_category", "$by_event_type", "$by_correlation_id"]
Details = projections_pb2.StatisticsResp.Details


@asynccontextmanager
async def projections_at(target: str) -> AsyncIterator[ProjectionsStub]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield ProjectionsStub(channel)


async def enable(projections: ProjectionsStub, *names: str) -> None:
    for name in names:
        await projections.Enable(projections_pb2.EnableReq(options=projections_pb2.EnableReq.Options(name=name)))


async def disable(projections: ProjectionsStub, name: str, write_checkpoint: bool = True) -> None:
    options = projections_pb2.DisableReq.Options(name=name, write_checkpoint=write_checkpoint)
    await projections.Disable(projections_pb2.DisableReq(options=options))


async def reset(projections: ProjectionsStub, name: str) -> None:
    await projections.Reset(projections_pb2.ResetReq(options=projections_pb2.ResetReq.Options(name=name)))


async def statistics(projections: ProjectionsStub, **options: object) -> list[Details]:
    request = projections_pb2.StatisticsReq(options=projections_pb2.StatisticsReq.Options(**options))
    return [response.details async for response in projections.Statistics(request)]


async def caught_up(projections: ProjectionsStub, *names: str) -> None:
    """Wait until the projections have come to the end of the log."""

    async def are_at_the_end() -> bool:
        return all([(await statistics(projections, name=name))[0].progress == 100 for name in names])

    await until(are_at_the_end)


async def read(client: AsyncEventStoreDBClient, stream: str, resolve_links: bool = False) -> tuple[RecordedEvent, ...]:
    try:
        return await client.get_stream(stream, resolve_links=resolve_links)
    except NotFound:
        return ()


async def links(client: AsyncEventStoreDBClient, stream: str) -> list[str]:
    return [link.data.decode() for link in await read(client, stream)]
