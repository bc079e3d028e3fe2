"""Append: a client stream of options, then events; conflicts are answers, everything else a status."""

import asyncio
from uuid import UUID, uuid4

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.exceptions import StreamIsDeleted, WrongCurrentVersion
from esdbclient.protos.Grpc import shared_pb2, streams_pb2
from node_support import EMPTY, append_requests, event, events, proposed

from embedded.event_store_node import EventStoreNode


async def refusal(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as info:
        await call
    return info.value


def trailers(error: grpc.aio.AioRpcError) -> dict[str, str]:
    return dict(tuple(error.trailing_metadata()))


async def test_success_gives_the_revision_and_position_of_the_last_event(stub) -> None:
    response = await stub.Append(iter(append_requests("s", events(3), no_stream=EMPTY)))

    assert response.success.current_revision == 2
    assert response.success.position.commit_position == response.success.position.prepare_position > 0


async def test_what_was_appended_is_what_is_read(stub, client: AsyncEventStoreDBClient) -> None:
    first = event("Ordered", b'{"a": 1}', metadata=b'{"m": 2}')
    second = event("Scanned", b"\x00\xff", content_type="application/octet-stream")
    response = await stub.Append(iter(append_requests("s", [first, second])))

    read = await client.get_stream("s")

    assert [(e.id, e.type, e.data, e.metadata, e.content_type) for e in read] == [
        (first.id, "Ordered", b'{"a": 1}', b'{"m": 2}', "application/json"),
        (second.id, "Scanned", b"\x00\xff", b"", "application/octet-stream"),
    ]
    assert [e.stream_position for e in read] == [0, 1]
    assert read[1].commit_position == response.success.position.commit_position
    assert read[0].recorded_at is not None


async def test_unknown_content_types_are_kept_as_binary(stub, client) -> None:
    requests = append_requests("s", [event()])
    requests[1].proposed_message.metadata["content-type"] = "text/plain"
    await stub.Append(iter(requests))

    assert (await client.get_stream("s"))[0].content_type == "application/octet-stream"


async def test_structured_ids_are_the_same_as_text(stub, client) -> None:
    id_ = UUID("fedcba98-7654-3210-fedc-ba9876543210")
    requests = append_requests("s", [event()])
    requests[1].proposed_message.id.structured.most_significant_bits = (id_.int >> 64) - 2**64
    requests[1].proposed_message.id.structured.least_significant_bits = (id_.int & (2**64 - 1)) - 2**64
    await stub.Append(iter(requests))

    assert (await client.get_stream("s"))[0].id == id_


async def test_appending_no_events_writes_nothing(stub, client) -> None:
    response = await stub.Append(iter(append_requests("s", [])))

    assert response.success.HasField("no_stream")
    assert await client.get_current_version("s") is StreamState.NO_STREAM


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        ({"revision": 7}, "expected_revision"),
        ({"stream_exists": EMPTY}, "expected_stream_exists"),
    ],
)
async def test_a_conflict_with_a_missing_stream(stub, expected, field) -> None:
    response = await stub.Append(iter(append_requests("s", [event()], **expected)))

    conflict = response.wrong_expected_version
    assert conflict.HasField("current_no_stream")
    assert conflict.HasField("no_stream_20_6_0")
    assert conflict.WhichOneof("expected_revision_option") == field


async def test_a_conflict_with_a_stream_at_another_revision(stub) -> None:
    await stub.Append(iter(append_requests("s", events(2))))

    by_revision = await stub.Append(iter(append_requests("s", [event()], revision=5)))
    no_stream = await stub.Append(iter(append_requests("s", [event()], no_stream=EMPTY)))

    conflict = by_revision.wrong_expected_version
    assert (conflict.current_revision, conflict.current_revision_20_6_0) == (1, 1)
    assert (conflict.expected_revision, conflict.expected_revision_20_6_0) == (5, 5)
    assert no_stream.wrong_expected_version.HasField("expected_no_stream")
    assert no_stream.wrong_expected_version.expected_revision_20_6_0 == 2**64 - 1


async def test_a_tombstoned_stream_is_a_failed_precondition(stub, client) -> None:
    await client.tombstone_stream("gone", current_version=StreamState.ANY)

    error = await refusal(stub.Append(iter(append_requests("gone", [event()]))))

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "Event stream 'gone' is deleted."
    assert trailers(error)["exception"] == "stream-deleted"
    assert trailers(error)["stream-name"] == "gone"


@pytest.mark.parametrize("key", ["type", "content-type"])
async def test_required_metadata_is_missing(stub, key) -> None:
    requests = append_requests("s", [event()])
    del requests[1].proposed_message.metadata[key]

    error = await refusal(stub.Append(iter(requests)))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == f"Required Metadata Property '{key}' is missing"
    assert trailers(error)["exception"] == "missing-required-metadata-property"


@pytest.mark.parametrize("id_", [shared_pb2.UUID(), shared_pb2.UUID(string="x"), shared_pb2.UUID(string="0" * 32)])
async def test_malformed_and_empty_ids_are_refused(stub, id_) -> None:
    requests = append_requests("s", [event()])
    requests[1].proposed_message.id.CopyFrom(id_)

    error = await refusal(stub.Append(iter(requests)))

    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "Exception was thrown by handler.")


async def test_an_event_needs_a_type(stub) -> None:
    error = await refusal(stub.Append(iter(append_requests("s", [event("")]))))

    assert error.code() is grpc.StatusCode.UNKNOWN


async def test_the_maximum_append_size_is_over_the_whole_append(stub, client) -> None:
    half = event("T", b"x" * 2**19)
    fits = event("T", b"x" * (2**20 - 2))

    error = await refusal(stub.Append(iter(append_requests("s", [half, half]))))
    await stub.Append(iter(append_requests("s", [fits])))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert trailers(error)["exception"] == "maximum-append-size-exceeded"
    assert trailers(error)["maximum-append-size"] == "1048576"
    assert len(await client.get_stream("s")) == 1


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [streams_pb2.AppendReq(proposed_message=proposed(event()))],
        append_requests("s", [])[:1] * 2,
    ],
    ids=["nothing", "no options", "options twice"],
)
async def test_messages_out_of_order_fail_the_handler(stub, requests) -> None:
    error = await refusal(stub.Append(iter(requests)))

    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == "Exception was thrown by handler."


@pytest.mark.parametrize("name", ["", "$$"])
async def test_a_stream_needs_a_name(stub, name) -> None:
    error = await refusal(stub.Append(iter(append_requests(name, [event()]))))

    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "Exception was thrown by handler.")


async def test_the_sync_client_appends_single_events(node: EventStoreNode) -> None:
    def use() -> None:
        with EventStoreDBClient(node.uri) as client:
            stream = str(uuid4())
            first = client.append_event(stream, current_version=StreamState.NO_STREAM, event=event())
            second = client.append_event(stream, current_version=0, event=event())
            assert second > first
            with pytest.raises(WrongCurrentVersion, match="Stream position of last event is 1 not 5"):
                client.append_event(stream, current_version=5, event=event())
            client.tombstone_stream(stream, current_version=1)
            with pytest.raises(StreamIsDeleted):
                client.append_events(stream, current_version=1, events=[event()])

    await asyncio.to_thread(use)


async def test_names_outside_ascii_travel(client, stub) -> None:
    await client.append_to_stream("bröd-☃", current_version=StreamState.NO_STREAM, events=[event("Gegründet")])
    await client.tombstone_stream("bröd-☃", current_version=0)

    error = await refusal(stub.Append(iter(append_requests("bröd-☃", [event()]))))

    assert "bröd-☃" in error.details()
    assert trailers(error)["stream-name"] == "br\\xf6d-\\u2603"
