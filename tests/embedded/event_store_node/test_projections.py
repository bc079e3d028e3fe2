"""The system projections: what they link, and how clients read it."""

import json
from datetime import UTC, datetime, timedelta

from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from node_support import event, events, until
from projections_support import NAMES, ProjectionsStub, caught_up, enable, links, read, statistics


async def write(client: AsyncEventStoreDBClient, stream: str, *new: NewEvent) -> None:
    await client.append_to_stream(stream, current_version=StreamState.ANY, events=new)


async def test_categories(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await write(client, "order-1", event("Placed"), event("Paid"))
    await enable(projections, "$by_category")
    await write(client, "order-2-a", event("Placed"))
    await write(client, "customer", event())
    await write(client, "-nameless", event())
    await write(client, "$system-1", event())
    await caught_up(projections, "$by_category")

    assert await links(client, "$ce-order") == ["0@order-1", "1@order-1", "0@order-2-a"]
    resolved = await read(client, "$ce-order", resolve_links=True)
    assert [e.type for e in resolved] == ["Placed", "Paid", "Placed"]
    assert [e.stream_position for e in resolved] == [0, 1, 0]
    streams = {e.stream_name async for e in await client.read_all(filter_exclude=())}
    assert not {"$ce-customer", "$ce-", "$ce-$system"} & streams


async def test_a_link_tells_where_it_comes_from(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    correlated = event("Placed", metadata=b'{"$correlationId": "c-1", "$causationId": "x"}')
    position = await client.append_to_stream("order-1", current_version=StreamState.ANY, events=[correlated])
    await enable(projections, "$by_category", "$by_event_type")
    await caught_up(projections, "$by_category", "$by_event_type")

    (link,) = await read(client, "$ce-order")
    assert (link.type, link.content_type) == ("$>", "application/octet-stream")
    assert link.metadata.decode() == (
        f'{{"$v":"3:-1:1:4","$c":{position},"$p":{position},"$o":"order-1",'
        f'"$causedBy":"{correlated.id}","$correlationId":"c-1"}}'
    )
    (link,) = await read(client, "$et-Placed")
    assert json.loads(link.metadata)["$v"] == "4:-1:1:4"
    metadata, _ = await client.get_stream_metadata("$ce-order")
    assert metadata == {"$acl": {"$r": "$all", "$mr": "$all"}}


async def test_event_types(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_event_type")
    await write(client, "a", event("Placed"), event("Paid"))
    await write(client, "b-1", event("Placed"))
    await write(client, "b-1", NewEvent(type="$>", data=b"0@a", content_type="application/octet-stream"))
    await client.set_stream_metadata("a", metadata={"$maxCount": 100}, current_version=StreamState.ANY)
    await caught_up(projections, "$by_event_type")

    assert await links(client, "$et-Placed") == ["0@a", "0@b-1"]
    assert await links(client, "$et-Paid") == ["1@a"]
    assert await links(client, "$et-$metadata") == ["0@$$a"]
    assert await links(client, "$et-$>") == []


async def test_what_claims_to_be_json_and_is_not_is_left_out(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub
) -> None:
    binary = {"content_type": "application/octet-stream"}
    await write(client, "order-1", event(data=b"{"), event(data=b""), event(data=b"\xff", **binary), event(data=b"1"))
    await enable(projections, "$by_category")
    await caught_up(projections, "$by_category")

    assert await links(client, "$ce-order") == ["2@order-1", "3@order-1"]


async def test_links_in_user_streams_are_repeated(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub
) -> None:
    await write(client, "order-1", event("Placed"))
    await write(client, "favourite-1", NewEvent(type="$>", data=b"0@order-1", content_type="application/octet-stream"))
    await enable(projections, "$by_category")
    await caught_up(projections, "$by_category")

    assert await links(client, "$ce-favourite") == ["0@order-1"]


async def test_deletions(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await write(client, "order-1", event("Placed"))
    await write(client, "order-2", event("Placed"))
    await client.delete_stream("order-1", current_version=StreamState.ANY)
    await client.tombstone_stream("order-2", current_version=StreamState.ANY)
    await enable(projections, "$by_category", "$by_event_type")
    await caught_up(projections, "$by_category", "$by_event_type")

    category = await read(client, "$ce-order")
    end = 2**63 - 1
    assert [link.data.decode() for link in category] == ["0@order-1", "0@order-2", "0@$$order-1", f"{end}@order-2"]
    assert [json.loads(link.metadata).get("$deleted") for link in category] == [None, None, -1, -1]
    assert json.loads(category[2].metadata)["$o"] == "order-1"
    assert await links(client, "$et-$deleted") == ["0@order-1", f"{end}@order-2"]
    resolved = await read(client, "$ce-order", resolve_links=True)
    assert [e.type for e in resolved] == ["$metadata"]  # the client leaves out links that lead nowhere


async def test_streams(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    for stream in ("order-1", "order-2", "plain", "order-1"):
        await write(client, stream, event())
    await enable(projections, "$streams", "$stream_by_category")
    await caught_up(projections, "$streams", "$stream_by_category")

    assert await links(client, "$streams") == ["0@order-1", "0@order-2", "0@plain"]
    references = await read(client, "$category-order")
    assert [(e.type, e.data) for e in references] == [("$@", b"order-1"), ("$@", b"order-2")]


async def test_correlations(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    for correlation in (b'{"$correlationId": "c"}', b"", b"[]", b"{", b'{"$correlationId": null}'):
        await write(client, "order-1", event(metadata=correlation))
    await enable(projections, "$by_correlation_id")
    await caught_up(projections, "$by_correlation_id")

    (link,) = await read(client, "$bc-c")
    metadata = json.loads(link.metadata)
    (first, *_) = await read(client, "order-1")
    assert first.recorded_at is not None
    stamp = datetime.strptime(metadata["$eventTimestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(stamp - first.recorded_at) <= timedelta(microseconds=1)  # the client rounds
    assert metadata["$correlationId"] == "c"


async def test_a_subscription_to_a_category(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    await write(client, "order-1", *events(3, "Placed"))
    subscription = await client.subscribe_to_stream("$ce-order", resolve_links=True)
    await write(client, "order-2", *events(2, "Paid"))

    received = [await anext(subscription) for _ in range(5)]
    assert [(e.stream_name, e.stream_position) for e in received] == [
        ("order-1", 0),
        ("order-1", 1),
        ("order-1", 2),
        ("order-2", 0),
        ("order-2", 1),
    ]
    assert [e.link.stream_position for e in received if e.link] == [0, 1, 2, 3, 4]
    await subscription.stop()


async def test_many_streams_and_pages(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    for n in range(40):
        await write(client, f"cat{n % 3}-{n}", *events(25, f"Type{n % 2}"))
    await enable(projections, *NAMES)
    await write(client, "cat0-last", *events(200, "Type0"))
    await caught_up(projections, *NAMES)

    expected = [f"{i}@cat0-{n}" for n in range(0, 40, 3) for i in range(25)] + [f"{i}@cat0-last" for i in range(200)]
    assert await links(client, "$ce-cat0") == expected
    assert len(await links(client, "$et-Type0")) == 700
    assert len(await links(client, "$streams")) == 41


async def test_nothing_is_written_before_a_projection_is_enabled(client: AsyncEventStoreDBClient) -> None:
    await write(client, "order-1", event())

    assert [e.stream_name async for e in await client.read_all(filter_exclude=())] == ["$$$scavenges", "order-1"]


# A stream that the projection can't write to


async def test_a_target_written_by_others_faults_the_projection(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub
) -> None:
    await write(client, "$ce-order", event())
    await write(client, "order-1", event())
    await enable(projections, "$by_category", "$by_event_type")

    async def is_faulted() -> bool:
        (details,) = await statistics(projections, name="$by_category")
        return details.status.startswith("Faulted")

    await until(is_faulted)
    (details,) = await statistics(projections, name="$by_category")
    assert details.stateReason == (
        "The '$ce-order' stream managed by projection 3 has been written to from the outside."
    )
    await caught_up(projections, "$by_event_type")


async def test_a_tombstoned_target_faults_the_projection(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub
) -> None:
    await enable(projections, "$by_category")
    await write(client, "order-1", event())
    await caught_up(projections, "$by_category")
    await client.tombstone_stream("$ce-order", current_version=StreamState.ANY)
    await write(client, "order-1", event())

    async def is_faulted() -> bool:
        (details,) = await statistics(projections, name="$by_category")
        return details.status.startswith("Faulted")

    await until(is_faulted)
    (details,) = await statistics(projections, name="$by_category")
    assert details.stateReason == "Stream : $ce-order is deleted. Cannot emit events to it"


async def test_a_deleted_target_goes_on(client: AsyncEventStoreDBClient, projections: ProjectionsStub) -> None:
    await enable(projections, "$by_category")
    await write(client, "order-1", event())
    await caught_up(projections, "$by_category")
    await client.delete_stream("$ce-order", current_version=StreamState.ANY)
    await write(client, "order-1", event())
    await caught_up(projections, "$by_category")

    assert [(e.stream_position, e.data) for e in await read(client, "$ce-order")] == [(1, b"1@order-1")]


async def test_an_event_that_utf8_cannot_say_stops_no_projection(
    client: AsyncEventStoreDBClient, projections: ProjectionsStub
) -> None:
    """JSON may hold half a surrogate pair, escaped."""
    await enable(projections, *NAMES)
    await write(client, "order-1", event(metadata=b'{"$correlationId":"\\ud800"}'))
    await caught_up(projections, *NAMES)

    assert {details.status for details in await statistics(projections)} == {"Running"}
    assert await links(client, "$bc-\ufffd") == ["0@order-1"]
    (link,) = await read(client, "$ce-order")
    assert json.loads(link.metadata)["$correlationId"] == "\ud800"
