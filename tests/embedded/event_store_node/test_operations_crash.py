"""The node is killed while it scavenges: nothing that could be read is lost, and the next scavenge ends the work."""

import asyncio
import json
import random

import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import NotFound
from node_support import NodeProcess, connected, event, events
from operations_support import Operations, log, names, read

STREAMS = 12


async def fill(client: AsyncEventStoreDBClient) -> None:
    for n in range(STREAMS):
        await client.append_to_stream(f"s-{n}", current_version=StreamState.ANY, events=events(300))
        await client.set_stream_metadata(f"s-{n}", metadata={"$maxCount": 10})


async def scavenge_until_killed(node: NodeProcess, seconds: float) -> list[NewEvent]:
    """Kill the node some time after a scavenge began; a writer is at work. Returns what it got acknowledged."""
    acknowledged: list[NewEvent] = []

    async def write(client: AsyncEventStoreDBClient) -> None:
        while True:
            new = event(data=b"{}")
            await client._connection.streams.batch_append("new", StreamState.ANY, [new])
            acknowledged.append(new)

    async with connected(node.uri) as client, Operations(f"127.0.0.1:{node.port}") as operations:
        writer = asyncio.create_task(write(client))
        await operations.start()
        # The moment of the kill is what differs from round to round.
        await asyncio.sleep(seconds)
        await asyncio.to_thread(node.kill)
        await asyncio.wait([writer], timeout=30)
        assert writer.exception()
    return acknowledged


async def scavenge_results(client: AsyncEventStoreDBClient) -> list[str]:
    try:
        history = await client.get_stream("$scavenges", resolve_links=True)
    except NotFound:
        return []
    return [json.loads(e.data)["result"] for e in history if e.type == "$scavengeCompleted"]


async def crash_rounds(node: NodeProcess, rounds: int, seed: int) -> None:
    randomness = random.Random(seed)
    node.start()
    async with connected(node.uri) as client:
        await fill(client)
    interrupted = False
    # On a busy machine a kill may come after the end of a scavenge; then there are more rounds, until one comes in it.
    for number in range(rounds + 50):
        if number >= rounds and interrupted:
            break
        async with connected(node.uri) as client:
            before = {stream: await read(client, stream) for stream in (f"s-{n}" for n in range(STREAMS))}
        acknowledged = await scavenge_until_killed(node, randomness.uniform(0, 0.03))
        node.start()
        async with connected(node.uri) as client:
            after = {stream: await read(client, stream) for stream in before}
            assert after == before
            assert {e.id for e in acknowledged} <= {e.id for e in await read(client, "new")}
            positions = [e.commit_position for e in await log(client)]
            assert positions == sorted(positions)
            for stream in before:
                await client.append_to_stream(
                    stream, current_version=before[stream][-1].stream_position, events=[event()]
                )
            interrupted = interrupted or "Interrupted" in await scavenge_results(client)
    async with connected(node.uri) as client, Operations(f"127.0.0.1:{node.port}") as operations:
        assert (await operations.scavenge(client))["result"] == "Success"
        left = [name for name in names(await log(client)) if "@s-" in name]
        assert len(left) == 10 * STREAMS
        history = await client.get_stream("$scavenges", resolve_links=True)
        results = await scavenge_results(client)
        assert "Interrupted" in results
        assert set(results) <= {"Interrupted", "Success"}
        assert len(results) == len([e for e in history if e.type == "$scavengeStarted"])


async def test_crashes(node_process: NodeProcess) -> None:
    await crash_rounds(node_process, rounds=3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 5))
async def test_more_crashes(node_process: NodeProcess, seed: int) -> None:
    await crash_rounds(node_process, rounds=40, seed=seed)
