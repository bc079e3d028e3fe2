"""The Projections service: switching projections, over restarts too, and what it answers."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.exceptions import GrpcError, NotFound
from esdbclient.protos.Grpc import projections_pb2, shared_pb2
from node_support import NodeProcess, connected, event, events
from projections_support import (
    NAMES,
    ProjectionsStub,
    caught_up,
    disable,
    enable,
    links,
    projections_at,
    read,
    reset,
    statistics,
)

from embedded.event_store_node import EventStoreNode

EMPTY = shared_pb2.Empty()


def stub_of(node: EventStoreNode) -> AbstractAsyncContextManager[ProjectionsStub]:
    return projections_at(f"{node.host}:{node.port}")


async def test_all_are_stopped_at_first(projections: ProjectionsStub) -> None:
    everything = await statistics(projections, all=EMPTY)

    assert [details.name for details in everything] == NAMES
    assert {(d.status, d.mode, d.position, d.progress) for d in everything} == {
        ("Stopped", "Continuous", "C:0/P:-1", -1.0)
    }
    assert [details.name for details in await statistics(projections, continuous=EMPTY)] == NAMES
    assert await statistics(projections, transient=EMPTY) == await statistics(projections, one_time=EMPTY) == []


async def test_figures_of_one_that_runs(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(3))
    await caught_up(projections, "$by_category")

    (details,) = await statistics(projections, name="$by_category")
    position = await client.get_commit_position(filter_exclude=())
    assert (details.name, details.effectiveName, details.status) == ("$by_category", "$by_category", "Running")
    assert details.position == f"C:{position}/P:{position}"
    assert details.eventsProcessedAfterRestart == 3
    assert (details.version, details.epoch, details.progress) == (1, -1, 100)


@pytest.mark.parametrize("write_checkpoint", [True, False])
async def test_disabled_and_enabled_again(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub, write_checkpoint: bool
) -> None:
    await enable(projections, "$by_category")
    await enable(projections, "$by_category")  # does nothing
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(3))
    await caught_up(projections, "$by_category")
    await disable(projections, "$by_category", write_checkpoint)
    (details,) = await statistics(projections, name="$by_category")
    assert details.status == ("Stopped" if write_checkpoint else "Aborted")
    assert (details.lastCheckpoint == details.position) == write_checkpoint
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(2))
    assert len(await links(client, "$ce-order")) == 3
    await enable(projections, "$by_category")
    await caught_up(projections, "$by_category")

    assert await links(client, "$ce-order") == [f"{n}@order-1" for n in range(5)]


async def test_a_checkpoint_is_an_event(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    position = await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[event()])
    await caught_up(projections, "$by_category")
    await disable(projections, "$by_category")

    (checkpoint,) = await read(client, "$projections-$by_category-checkpoint")
    assert checkpoint.type == "$ProjectionCheckpoint"
    assert json.loads(checkpoint.metadata)["$p"] > position
    assert (await client.get_stream_metadata("$projections-$by_category-checkpoint"))[0]["$maxCount"] == 2
    definitions = await read(client, "$projections-$by_category")
    assert [json.loads(e.data)["enabled"] for e in definitions] == [False, True, False]


async def test_reset(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(3))
    await caught_up(projections, "$by_category")
    await reset(projections, "$by_category")
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[event()])
    await caught_up(projections, "$by_category")

    again = await read(client, "$ce-order")
    assert [(e.stream_position, e.data.decode()) for e in again] == [(3 + n, f"{n}@order-1") for n in range(4)]
    assert {json.loads(e.metadata)["$v"] for e in again} == {"3:2:2:4"}
    assert (await client.get_stream_metadata("$ce-order"))[0]["$tb"] == 3
    await projections.RestartSubsystem(EMPTY)
    await caught_up(projections, "$by_category")
    assert await read(client, "$ce-order") == again


async def test_reset_while_disabled(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await reset(projections, "$by_category")

    assert (await statistics(projections, name="$by_category"))[0].status == "Stopped"
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[event()])
    await enable(projections, "$by_category")
    await caught_up(projections, "$by_category")
    assert await links(client, "$ce-order") == ["0@order-1"]


async def test_the_subsystem_is_restarted(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[event()])
    await projections.RestartSubsystem(EMPTY)
    await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[event()])
    await caught_up(projections, "$by_category")

    assert await links(client, "$ce-order") == ["0@order-1", "1@order-1"]
    statuses = {details.name: details.status for details in await statistics(projections, all=EMPTY)}
    assert [name for name, status in statuses.items() if status == "Running"] == ["$by_category"]


async def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with EventStoreNode(tmp_path) as node, stub_of(node) as projections:
        await enable(projections, "$by_category", "$by_event_type")
        await disable(projections, "$by_event_type")
    async with EventStoreNode(tmp_path) as node, stub_of(node) as projections, connected(node.uri) as client:
        statuses = {details.name: details.status for details in await statistics(projections, all=EMPTY)}
        assert [name for name, status in statuses.items() if status == "Running"] == ["$by_category"]
        await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(2))
        await caught_up(projections, "$by_category")
        assert await links(client, "$ce-order") == ["0@order-1", "1@order-1"]


async def test_a_restart_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    async with EventStoreNode(tmp_path) as node, stub_of(node) as projections, connected(node.uri) as client:
        await enable(projections, "$by_category")
        await client.append_to_stream("order-1", current_version=StreamState.ANY, events=events(50))
        await caught_up(projections, "$by_category")
    async with EventStoreNode(tmp_path) as node, stub_of(node) as projections, connected(node.uri) as client:
        await client.append_to_stream("order-2", current_version=StreamState.ANY, events=events(1))
        await caught_up(projections, "$by_category")
        assert (await statistics(projections, name="$by_category"))[0].eventsProcessedAfterRestart == 1
        assert await links(client, "$ce-order") == [f"{n}@order-1" for n in range(50)] + ["0@order-2"]


# The synchronous client


async def test_the_client(node: EventStoreNode) -> None:
    def use() -> None:
        with EventStoreDBClient(node.uri) as client:
            client.enable_projection(name="$by_category")
            assert client.get_projection_statistics(name="$by_category").status == "Running"
            assert client.get_projection_state(name="$by_category").value == {}
            client.disable_projection(name="$by_category")
            assert client.get_projection_statistics(name="$by_category").status == "Stopped"
            client.reset_projection(name="$by_category")
            client.restart_projections_subsystem()
            for call in (
                client.get_projection_statistics,
                client.get_projection_state,
                client.enable_projection,
                client.disable_projection,
                client.reset_projection,
                client.delete_projection,
            ):
                with pytest.raises(NotFound):
                    call(name="unknown")
            with pytest.raises(NotFound):
                client.update_projection(name="unknown", query="")
            for change in (
                lambda: client.create_projection(name="mine", query="fromAll()"),
                lambda: client.update_projection(name="$streams", query=""),
                lambda: client.delete_projection(name="$streams"),
            ):
                with pytest.raises(GrpcError) as refusal:
                    change()
                assert "UNIMPLEMENTED" in repr(refusal.value)

    await asyncio.to_thread(use)


async def test_results(projections: ProjectionsStub) -> None:
    result = await projections.Result(
        projections_pb2.ResultReq(options=projections_pb2.ResultReq.Options(name="$by_category"))
    )
    assert result.result.WhichOneof("kind") == "struct_value"
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await projections.Result(projections_pb2.ResultReq(options=projections_pb2.ResultReq.Options(name="x")))
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


# Options of the command


async def test_all_are_started(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "--data-dir", str(tmp_path), "--start-standard-projections")
    try:
        for _ in range(2):
            node.start()
            async with projections_at(f"127.0.0.1:{node.port}") as projections:
                assert {details.status for details in await statistics(projections, all=EMPTY)} == {"Running"}
                await disable(projections, "$streams")
            assert node.terminate() == (0, "")
    finally:
        node.kill()


async def test_no_projections(tmp_path: Path) -> None:
    async with EventStoreNode(run_projections=False) as node, stub_of(node) as projections:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await statistics(projections, all=EMPTY)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
