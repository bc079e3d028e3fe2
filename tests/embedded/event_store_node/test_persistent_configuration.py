"""The configuration of all groups: a document in the log that others may have broken."""

import json
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from node_support import EMPTY
from persistent_support import Stub, append, create, info, listed, running

Client = AsyncEventStoreDBClient
STREAM = "$persistentSubscriptionConfig"


async def last_document(client: Client) -> dict[str, Any]:
    (last,) = [one async for one in await client.read_stream(STREAM, backwards=True, limit=1)]
    document: dict[str, Any] = json.loads(last.data)
    return document


async def write(client: Client, document: dict[str, Any]) -> None:
    event = NewEvent(type="$PersistentConfig", data=json.dumps(document).encode())
    await client.append_to_stream(STREAM, current_version=StreamState.ANY, events=[event])


async def test_the_configuration_is_a_document_in_the_log(client: Client, groups: Stub) -> None:
    await create(groups)
    await client.create_subscription_to_all("h", filter_include=["A", "B"], consumer_strategy="Pinned")

    (last,) = [one async for one in await client.read_stream(STREAM, backwards=True, limit=1)]
    document = json.loads(last.data)
    assert last.type == "$PersistentConfig"
    assert (document["version"], document["updatedBy"]) == ("2", "system")
    first, second = document["entries"]
    assert first == {
        "stream": "s",
        "group": "g",
        "startPosition": "0",
        "namedConsumerStrategy": "RoundRobin",
        "messageTimeout": 30000,
        "liveBufferSize": 500,
        "historyBufferSize": 500,
        "maxRetryCount": 10,
        "readBatchSize": 20,
        "checkPointAfter": 2000,
        "minCheckPointCount": 10,
        "maxCheckPointCount": 1000,
    }
    assert (second["stream"], second["startPosition"], second["startFrom"]) == ("$all", "C:0/P:0", -(2**63))
    assert second["filter"] == {"context": "eventtype", "type": "regex", "data": "^A|B$", "isAllStream": True}
    metadata, _ = await client.get_stream_metadata(STREAM)
    assert metadata == {"$maxCount": 2}


async def test_a_configuration_that_makes_no_sense_stops_the_groups_only(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, client, groups):
        await create(groups)
        (last,) = [one async for one in await client.read_stream(STREAM, backwards=True, limit=1)]
        broken = NewEvent(type="$PersistentConfig", data=b'{"entries": [{"stream": "s"}]}')
        await client.append_to_stream(STREAM, current_version=StreamState.ANY, events=[broken])
    async with running(tmp_path) as (_, client, groups):
        for call in (info(groups), create(groups, "t")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.details() == "Server Is Not Ready"
        repaired = NewEvent(type="$PersistentConfig", data=last.data)
        await append(client)
        await client.append_to_stream(STREAM, current_version=StreamState.ANY, events=[repaired])
        await groups.RestartSubsystem(EMPTY)
        assert (await info(groups)).event_source == "s"


async def test_no_change_overwrites_what_a_restart_could_not_read(client: Client, groups: Stub) -> None:
    await create(groups)
    good = await last_document(client)
    await write(client, {"entries": [{"stream": "s"}]})
    await groups.RestartSubsystem(EMPTY)
    for call in (info(groups), create(groups, "t")):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.details() == "Server Is Not Ready"

    await write(client, good)
    await groups.RestartSubsystem(EMPTY)
    assert await listed(groups) == [("s", "g")]


async def test_of_a_group_that_is_there_twice_the_first_is_taken(client: Client, groups: Stub) -> None:
    await create(groups, max_retry_count=1)
    document = await last_document(client)
    (first,) = document["entries"]
    await write(client, {**document, "entries": [first, {**first, "maxRetryCount": 2}]})
    await groups.RestartSubsystem(EMPTY)

    assert await listed(groups) == [("s", "g")]
    assert (await info(groups)).max_retry_count == 1


async def test_a_group_that_this_node_cannot_run_stays_in_the_configuration(client: Client, groups: Stub) -> None:
    await create(groups)
    await create(groups, "t")
    document = await last_document(client)
    document["entries"][0]["namedConsumerStrategy"] = "Theirs"
    await write(client, document)
    await groups.RestartSubsystem(EMPTY)
    assert await listed(groups) == [("t", "g")]

    await create(groups, "u")
    after = await last_document(client)
    assert {one["stream"]: one["namedConsumerStrategy"] for one in after["entries"]} == {
        "s": "Theirs",
        "t": "RoundRobin",
        "u": "RoundRobin",
    }
    await create(groups)
    assert [one["stream"] for one in (await last_document(client))["entries"]] == ["t", "u", "s"]
