"""Reads of streams and of $all, in both directions."""

from typing import Any

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import NotFound
from esdbclient.protos.Grpc import streams_pb2
from node_support import EMPTY, ReadOptions, event, events, messages, read_options, stream_id

from embedded.event_store_node.log import reader

Client = AsyncEventStoreDBClient
StreamOptions = ReadOptions.StreamOptions


async def written(client: Client, stream: str, count: int) -> list[Any]:
    await client.append_to_stream(stream, current_version=StreamState.ANY, events=events(count))
    return list(await client.get_stream(stream))


async def revisions(client: Client, stream: str = "s", **how: Any) -> list[int]:
    return [e.stream_position for e in await client.get_stream(stream, **how)]


async def positions(client: Client, **how: Any) -> list[int | None]:
    return [e.commit_position async for e in await client.read_all(**how)]


async def read(stub, options: ReadOptions) -> list[streams_pb2.ReadResp]:
    return await messages(stub.Read(streams_pb2.ReadReq(options=options)))


async def test_streams_forwards(client: Client) -> None:
    await written(client, "s", 5)

    assert await revisions(client) == [0, 1, 2, 3, 4]
    assert await revisions(client, stream_position=3) == [3, 4]
    assert await revisions(client, stream_position=1, limit=2) == [1, 2]
    assert await revisions(client, stream_position=5) == []
    assert await revisions(client, stream_position=2**63) == []


async def test_streams_backwards(client: Client) -> None:
    await written(client, "s", 5)

    assert await revisions(client, backwards=True) == [4, 3, 2, 1, 0]
    assert await revisions(client, backwards=True, stream_position=2) == [2, 1, 0]
    assert await revisions(client, backwards=True, limit=2) == [4, 3]
    assert await revisions(client, backwards=True, stream_position=99) == [4, 3, 2, 1, 0]


async def test_streams_longer_than_a_page(client: Client) -> None:
    count = reader.PAGE_EVENTS * 2 + 7
    for first in range(0, count, 100):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=events(min(100, count - first)))

    assert await revisions(client) == list(range(count))
    assert await revisions(client, backwards=True) == list(range(count))[::-1]
    assert await revisions(client, limit=reader.PAGE_EVENTS + 1) == list(range(reader.PAGE_EVENTS + 1))
    assert len(await positions(client)) == count
    assert await positions(client) == (await positions(client, backwards=True))[::-1]


async def test_pages_are_bounded_in_bytes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAGE_BYTES", 1000)
    await written(client, "s", 40)

    assert await revisions(client) == list(range(40))
    assert await revisions(client, backwards=True) == list(range(40))[::-1]
    assert len(await positions(client)) == len(await positions(client, backwards=True)) == 40


async def test_a_missing_stream(stub, client: Client) -> None:
    with pytest.raises(NotFound):
        await client.get_stream("missing")
    for options in (StreamOptions(start=EMPTY), StreamOptions(end=EMPTY), StreamOptions(revision=3)):
        options.stream_identifier.CopyFrom(stream_id("missing"))
        (message,) = await read(stub, read_options(stream=options))
        assert message.stream_not_found.stream_identifier.stream_name == b"missing"


async def test_a_stream_of_which_only_metadata_exists_is_missing(client: Client) -> None:
    await client.set_stream_metadata("s", metadata={"a": 1})

    with pytest.raises(NotFound):
        await client.get_stream("s")


async def test_forwards_from_the_end_is_empty(stub, client: Client) -> None:
    await written(client, "s", 2)

    stream = StreamOptions(stream_identifier=stream_id("s"), end=EMPTY)
    assert await read(stub, read_options(stream=stream)) == []
    assert await read(stub, read_options(all=ReadOptions.AllOptions(end=EMPTY))) == []


async def test_counts_of_zero_and_beyond_all_bounds(stub, client: Client) -> None:
    await written(client, "s", 2)

    assert await read(stub, read_options(count=0)) == []
    assert len(await read(stub, read_options(count=2**64 - 1))) == 2


@pytest.mark.parametrize(
    ("start", "backwards", "count", "told"),
    [
        (0, False, 9, ["event", "event", "event", "event", ("last", 4)]),
        (2, False, 1, ["event", ("last", 4)]),
        (5, False, 9, [("last", 4)]),
        (9, False, 9, [("first", 5), ("last", 4)]),
        (9, True, 9, ["event", "event", "event", "event", ("last", 4)]),
        (0, True, 9, [("last", 4)]),
    ],
)
async def test_clients_that_know_stream_positions_are_told_them(
    stub, client: Client, start: int, backwards: bool, count: int, told: list[Any]
) -> None:
    await written(client, "s", 5)
    await client.set_stream_metadata("s", metadata={"$tb": 1})

    received = await read(
        stub,
        read_options(
            stream=StreamOptions(stream_identifier=stream_id("s"), revision=start),
            read_direction=ReadOptions.Backwards if backwards else ReadOptions.Forwards,
            count=count,
            control_option=ReadOptions.ControlOption(compatibility=1),
        ),
    )

    def short(message: streams_pb2.ReadResp) -> Any:
        match message.WhichOneof("content"):
            case "first_stream_position":
                return "first", message.first_stream_position
            case "last_stream_position":
                return "last", message.last_stream_position
            case other:
                return other

    assert [short(message) for message in received] == told


async def test_all_forwards_is_inclusive_and_backwards_exclusive(client: Client) -> None:
    await written(client, "a", 2)
    await written(client, "b", 2)
    all_ = await positions(client)

    assert all_ == sorted(set(all_))
    assert await positions(client, commit_position=all_[1]) == all_[1:]
    assert await positions(client, commit_position=all_[1], limit=2) == all_[1:3]
    assert await positions(client, commit_position=all_[2], backwards=True) == [all_[1], all_[0]]
    assert await positions(client, backwards=True, limit=1) == all_[-1:]
    assert await positions(client, commit_position=all_[-1] + 10**6) == []
    assert await positions(client, commit_position=2**64 - 1) == []
    assert await positions(client, commit_position=2**64 - 1, backwards=True) == all_[::-1]


async def test_positions_between_events_are_good_starts(client: Client) -> None:
    await written(client, "a", 3)
    all_ = await positions(client)

    assert await positions(client, commit_position=all_[1] - 1) == all_[1:]
    assert await positions(client, commit_position=all_[1] + 1, backwards=True) == [all_[1], all_[0]]


async def test_an_empty_log(client: Client) -> None:
    assert await positions(client) == []
    assert await positions(client, backwards=True) == []
    assert await client.get_commit_position() == 0


async def test_all_shows_system_events_when_they_are_not_filtered_out(client: Client) -> None:
    await written(client, "s", 1)
    await client.set_stream_metadata("s", metadata={})
    await client.tombstone_stream("s", current_version=StreamState.ANY)

    types = [e.type async for e in await client.read_all(filter_exclude=())]
    assert types == ["$metadata", "Happened", "$metadata", "$streamDeleted"]
    assert [e.type async for e in await client.read_all()] == ["Happened"]


async def test_all_hides_the_traces_of_persistent_subscriptions_to_all(client: Client) -> None:
    for stream in (
        "$persistentsubscription-$all::group-checkpoint",
        "$persistentsubscription-$all::group-parked",
        "$persistentsubscription-orders::group-parked",
    ):
        await client.append_to_stream(stream, current_version=StreamState.ANY, events=[event()])

    shown = [e.stream_name async for e in await client.read_all(filter_exclude=())]
    assert shown == ["$$$scavenges", "$persistentsubscription-orders::group-parked"]
    assert await revisions(client, "$persistentsubscription-$all::group-parked") == [0]


@pytest.mark.parametrize("option", [ReadOptions.UUIDOption(structured=EMPTY), ReadOptions.UUIDOption()], ids=str)
async def test_structured_ids(stub, client: Client, option: ReadOptions.UUIDOption) -> None:
    (one,) = await written(client, "s", 1)

    (message,) = await read(stub, read_options(uuid_option=option))

    halves = message.event.event.id.structured
    whole = (halves.most_significant_bits % 2**64 << 64) + halves.least_significant_bits % 2**64
    assert whole == one.id.int
    assert message.event.commit_position == one.commit_position
    assert message.event.event.data == one.data


# Links


async def link(client: Client, stream: str, target: bytes) -> None:
    await client.append_to_stream(
        stream,
        current_version=StreamState.ANY,
        events=[event("$>", target, content_type="application/octet-stream")],
    )


async def test_links_are_resolved_when_asked(client: Client) -> None:
    target = (await written(client, "a@b", 3))[2]
    await link(client, "links", b"2@a@b")

    (resolved,) = await client.get_stream("links", resolve_links=True)
    (plain,) = await client.get_stream("links")

    assert (resolved.id, resolved.data, resolved.stream_name) == (target.id, target.data, "a@b")
    assert (resolved.stream_position, resolved.commit_position) == (2, target.commit_position)
    assert resolved.link is not None
    assert (resolved.link.id, resolved.link.stream_name, resolved.link.stream_position) == (
        plain.id,
        "links",
        0,
    )
    assert (plain.type, plain.data, plain.link) == ("$>", b"2@a@b", None)


async def test_links_in_all_stand_at_their_own_position(stub, client: Client) -> None:
    await written(client, "a", 1)
    await link(client, "links", b"0@a")

    _, message = await read(stub, read_options(resolve_links=True))

    assert message.event.link.stream_identifier.stream_name == b"links"
    assert message.event.event.stream_identifier.stream_name == b"a"
    assert message.event.commit_position == message.event.link.commit_position


@pytest.mark.parametrize(
    "target",
    [
        b"9@a",
        b"0@missing",
        b"nonsense",
        b"-1@a",
        b"@",
        b"",
        b"\xff@a",
        b"1@soft",
        b"1@tomb",
        b"9" * 40 + b"@a",
    ],
)
async def test_links_that_lead_nowhere_are_only_links(stub, client: Client, target: bytes) -> None:
    for stream in ("a", "soft", "tomb"):
        await written(client, stream, 2)
    await client.delete_stream("soft", current_version=StreamState.ANY)
    await client.tombstone_stream("tomb", current_version=StreamState.ANY)
    await link(client, "links", target)

    stream = StreamOptions(stream_identifier=stream_id("links"), start=EMPTY)
    (message,) = await read(stub, read_options(stream=stream, resolve_links=True))

    assert message.event.link.data == target
    assert not message.event.HasField("event")


async def test_structured_ids_of_links(stub, client: Client) -> None:
    await written(client, "a", 1)
    await link(client, "links", b"0@a")

    options = read_options(resolve_links=True, uuid_option=ReadOptions.UUIDOption(structured=EMPTY))
    _, message = await read(stub, options)

    assert message.event.link.id.HasField("structured")
    assert message.event.event.id.HasField("structured")


# Requests that make no sense


@pytest.mark.parametrize(
    "changes",
    [
        {"uuid_option": None},
        {"no_filter": None},
        {"all": None},
        {"count": None},
        {"subscription": ReadOptions.SubscriptionOptions(), "read_direction": ReadOptions.Backwards},
        {
            "stream": StreamOptions(stream_identifier=stream_id("s"), start=EMPTY),
            "filter": ReadOptions.FilterOptions(event_type=ReadOptions.FilterOptions.Expression(regex="x"), max=1),
        },
    ],
    ids=str,
)
async def test_invalid_requests(stub, changes: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await read(stub, read_options(**changes))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"all": ReadOptions.AllOptions()},
        {"stream": StreamOptions(stream_identifier=stream_id("s"))},
        {"stream": StreamOptions(start=EMPTY)},
    ],
    ids=["all without position", "stream without revision", "stream without name"],
)
async def test_a_read_of_nothing_in_particular_fails_the_handler(stub, changes: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await read(stub, read_options(**changes))

    assert refusal.value.code() is grpc.StatusCode.UNKNOWN
    assert refusal.value.details() == "Exception was thrown by handler."
