"""Server-side filters of $all: by event type or stream name, by regular expression or prefixes."""

from typing import Any

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.protos.Grpc import streams_pb2
from node_support import EMPTY, ReadOptions, event, events, messages, read_options

from embedded.event_store_node.log import reader
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.protocol import filters

FilterOptions = ReadOptions.FilterOptions
Expression = FilterOptions.Expression


def by_type(**expression: Any) -> FilterOptions:
    return FilterOptions(event_type=Expression(**expression), max=32, checkpointIntervalMultiplier=1)


def by_stream(**expression: Any) -> FilterOptions:
    return FilterOptions(stream_identifier=Expression(**expression), max=32, checkpointIntervalMultiplier=1)


@pytest.fixture
async def log(client: AsyncEventStoreDBClient) -> None:
    for stream, type_ in [
        ("order-1", "Placed"),
        ("cart-1", "Opened"),
        ("order-2", "Replaced"),
        ("x", "Paid"),
    ]:
        await client.append_to_stream(stream, current_version=StreamState.ANY, events=[event(type_)])
    await client.set_stream_metadata("x", metadata={})


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("filter_", "types"),
    [
        (by_type(regex="laced"), ["Placed", "Replaced"]),
        (by_type(regex="^Placed|Paid$"), ["Placed", "Paid"]),
        (by_type(regex=r"^[^\$].*"), ["Placed", "Opened", "Replaced", "Paid"]),
        (by_type(regex=r"^(?!(P.*$))"), ["$metadata", "Opened", "Replaced", "$metadata"]),
        (by_type(prefix=["P", "Op"]), ["Placed", "Opened", "Paid"]),
        (by_type(prefix=[]), []),
        (by_type(regex="Paid", prefix=["Op"]), ["Paid"]),
        (by_stream(prefix=["order-", "cart-"]), ["Placed", "Opened", "Replaced"]),
        (by_stream(regex="-1$"), ["Placed", "Opened"]),
        (by_stream(prefix=["$$"]), ["$metadata", "$metadata"]),
    ],
)
async def test_filters(stub, filter_: FilterOptions, types: list[str]) -> None:
    start, end = ReadOptions.AllOptions(start=EMPTY), ReadOptions.AllOptions(end=EMPTY)
    options = read_options(filter=filter_, all=start)
    forwards = await messages(stub.Read(streams_pb2.ReadReq(options=options)))
    options = read_options(filter=filter_, all=end, read_direction=ReadOptions.Backwards)
    backwards = await messages(stub.Read(streams_pb2.ReadReq(options=options)))

    assert [m.event.event.metadata["type"] for m in forwards] == types
    assert [m.event.event.metadata["type"] for m in backwards] == types[::-1]


async def test_the_count_is_of_accepted_events(client: AsyncEventStoreDBClient) -> None:
    for _ in range(4):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[*events(3, "No"), event("Yes")])

    found = [e async for e in await client.read_all(filter_include=["Yes"], limit=3)]

    assert [e.stream_position for e in found] == [3, 7, 11]


async def test_rare_events_are_found_over_many_pages(
    client: AsyncEventStoreDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=events(reader.PAGE_EVENTS, "No"))
    await client.append_to_stream("s", current_version=StreamState.ANY, events=[event("Yes")])

    found = [e async for e in await client.read_all(filter_include=["Yes"])]
    first = [e async for e in await client.read_all(filter_include=["No"], limit=1, backwards=True)]

    assert [e.stream_position for e in found] == [5 * reader.PAGE_EVENTS]
    assert [e.stream_position for e in first] == [5 * reader.PAGE_EVENTS - 1]


@pytest.mark.parametrize("filter_", [by_type(regex="("), FilterOptions(max=1), FilterOptions()], ids=str)
async def test_invalid_filters(stub, filter_: FilterOptions) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await messages(stub.Read(streams_pb2.ReadReq(options=read_options(filter=filter_))))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "filter_",
    [
        FilterOptions(event_type=Expression(regex="x"), max=1),
        FilterOptions(event_type=Expression(regex="x"), checkpointIntervalMultiplier=1),
    ],
    ids=["no multiplier", "no window"],
)
async def test_a_filtered_subscription_needs_a_checkpoint_interval(stub, filter_: FilterOptions) -> None:
    options = read_options(filter=filter_, subscription=ReadOptions.SubscriptionOptions())
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await messages(stub.Read(streams_pb2.ReadReq(options=options)), 1)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_each_name_is_matched_once() -> None:
    matched = []
    filter_ = filters.EventFilter(True, lambda name: bool(matched.append(name)) or name == "A")

    verdicts = [filter_.accepts(LoggedEvent(n, "s", n, type_, 1, b"")) for n, type_ in enumerate("ABAAB")]

    assert verdicts == [True, False, True, True, False]
    assert matched == ["A", "B"]


def test_remembered_verdicts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "_MAX_CACHED_VERDICTS", 10)
    filter_ = filters.EventFilter(True, lambda name: True)

    for n in range(100):
        filter_.accepts(LoggedEvent(n, "s", n, str(n), 1, b""))

    assert len(filter_._verdicts) <= 10
