"""The events that a log begins with, as the real server's does."""

import json
from pathlib import Path

import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from node_support import FIRST_STREAMS, connected, event, events

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.main import main

Client = AsyncEventStoreDBClient


async def test_a_new_log_shows_one_system_event(client: Client) -> None:
    (first,) = [e async for e in await client.read_all(filter_exclude=())]

    assert (first.stream_name, first.stream_position, first.type) == ("$$$scavenges", 0, "$metadata")
    metadata, version = await client.get_stream_metadata("$scavenges")
    assert (metadata["$maxAge"], metadata["$acl"]["$r"], version) == (30 * 86400, "$ops", 0)


async def test_clients_that_leave_system_events_out_see_an_empty_log(client: Client) -> None:
    assert [e async for e in await client.read_all()] == []
    assert await client.get_commit_position() == 0


async def test_a_subscription_that_excludes_nothing_begins_with_a_system_event(client: Client) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
    async with await client.subscribe_to_all(filter_exclude=()) as subscription:
        assert [(await anext(subscription)).type for _ in range(2)] == ["$metadata", "Happened"]


async def test_the_first_epoch(client: Client) -> None:
    (epoch,) = await client.get_stream("$epoch-information")

    assert (epoch.type, epoch.content_type) == ("$epoch-information", "application/json")
    document = json.loads(epoch.data)
    assert (document["epochNumber"], document["prevEpochPosition"]) == (0, -1)
    assert "$epoch-information" not in [e.stream_name async for e in await client.read_all(filter_exclude=())]


async def test_they_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for expected in (0, 3):
        async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
            assert [len(await client.get_stream(stream)) for stream in FIRST_STREAMS] == [1, 1]
            assert len([e async for e in await client.read_all()]) == expected
            await client.append_to_stream("s", current_version=StreamState.ANY, events=events(3))
    assert main(["verify", "--data-dir", str(tmp_path)]) == 0
    assert ": sound, 8 events in 3 streams" in capsys.readouterr().out
