"""Whatever clients did to their streams: a scavenge removes all that can't be read, and nothing else."""

import asyncio
import json
from contextlib import suppress

import pytest
from esdbclient import AsyncEventStoreDBClient, RecordedEvent, StreamState
from esdbclient.exceptions import NotFound, StreamIsDeleted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_support import connected, events
from operations_support import Operations, log, read

from embedded.event_store_node import EventStoreNode

ANY = StreamState.ANY
STREAMS = ["a", "b", "$c"]
TOMBSTONE = 2**63 - 1

Step = tuple[str, str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "append", "count", "truncate", "delete", "tombstone", "scavenge"]),
        st.sampled_from(STREAMS),
        st.integers(1, 6),
    ),
    max_size=14,
)


async def apply(step: Step, client: AsyncEventStoreDBClient, operations: Operations) -> None:
    kind, stream, number = step
    with suppress(StreamIsDeleted, NotFound):
        match kind:
            case "append":
                await client.append_to_stream(stream, current_version=ANY, events=events(number))
            case "count":
                await client.set_stream_metadata(stream, metadata={"$maxCount": number})
            case "truncate":
                await client.set_stream_metadata(stream, metadata={"$tb": number})
            case "delete":
                await client.delete_stream(stream, current_version=ANY)
            case "tombstone":
                await client.tombstone_stream(stream, current_version=ANY)
            case "scavenge":
                await operations.scavenge(client)


def kept(before: list[RecordedEvent]) -> list[RecordedEvent]:
    """What a scavenge keeps, told from nothing but the log."""
    last = {e.stream_name: e for e in before}
    return [e for e in before if e.stream_position >= _first_kept(e.stream_name, last)]


def _first_kept(stream: str, last: dict[str, RecordedEvent]) -> int:
    end = last[stream].stream_position
    if stream.startswith("$$") and stream[2:] in last and last[stream[2:]].stream_position == TOMBSTONE:
        return TOMBSTONE
    if stream.startswith("$$") or "$$" + stream not in last or end == TOMBSTONE:
        return end if stream.startswith("$$") or end == TOMBSTONE else 0
    metadata = json.loads(last["$$" + stream].data)
    first = max(metadata.get("$tb", 0), end - metadata.get("$maxCount", TOMBSTONE) + 1)
    return min(first, end)


async def example(program: list[Step]) -> None:
    async with (
        EventStoreNode() as node,
        connected(node.uri) as client,
        Operations(f"{node.host}:{node.port}") as operations,
    ):
        for step in program:
            await apply(step, client, operations)
        before = await log(client)
        readable = [await read(client, stream) for stream in STREAMS]
        assert (await operations.scavenge(client))["result"] == "Success"
        assert await log(client) == kept(before)
        assert [await read(client, stream) for stream in STREAMS] == readable


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(steps)
def test_a_scavenge_removes_what_cannot_be_read(program: list[Step]) -> None:
    asyncio.run(example(program))


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_a_scavenge_removes_what_cannot_be_read_at_length(program: list[Step]) -> None:
    asyncio.run(example(program))
