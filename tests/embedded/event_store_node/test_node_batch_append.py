"""BatchAppend: many writes over one call, answered by correlation id, errors in-band."""

import asyncio
import logging
from uuid import uuid4

import grpc
import grpc.aio
import pytest
from esdbclient import StreamState
from esdbclient.exceptions import (
    BadRequestError,
    MaximumAppendSizeExceededError,
    StreamIsDeleted,
    WrongCurrentVersion,
)
from esdbclient.protos.Grpc import code_pb2, shared_pb2, streams_pb2, streams_pb2_grpc
from google.protobuf import empty_pb2, timestamp_pb2
from node_support import batch_request, endless, event, events, messages, until

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.services import batch_append

NO_STREAM = {"no_stream": empty_pb2.Empty()}


def detail(response: streams_pb2.BatchAppendResp, message):
    found = message()
    assert response.error.details.Unpack(found), response
    return found


async def answer(stub, request) -> streams_pb2.BatchAppendResp:
    (response,) = await messages(stub.BatchAppend(iter([request])))
    return response


async def test_success(stub) -> None:
    request = batch_request("s", events(2), **NO_STREAM)
    response = await answer(stub, request)

    assert response.correlation_id == request.correlation_id
    assert response.stream_identifier.stream_name == b"s"
    assert response.success.current_revision == 1
    assert response.success.position.commit_position == response.success.position.prepare_position > 0


async def test_structured_correlation_ids_are_echoed(stub) -> None:
    request = batch_request("s", [event()])
    request.correlation_id.structured.most_significant_bits = -5

    assert (await answer(stub, request)).correlation_id == request.correlation_id


async def test_the_call_ends_after_half_close_once_all_is_answered(stub) -> None:
    requests = [batch_request(f"s-{n}", [event()]) for n in range(50)]

    responses = await messages(stub.BatchAppend(iter(requests)))

    asked = {request.correlation_id.string for request in requests}
    assert {response.correlation_id.string for response in responses} == asked
    assert len(responses) == 50


async def test_a_call_without_requests_ends(stub) -> None:
    assert await messages(stub.BatchAppend(iter([]))) == []


async def test_answers_come_while_the_call_stays_open(stub) -> None:
    done = asyncio.Event()
    call = stub.BatchAppend(endless([batch_request("s", [event()])], done))

    assert len(await messages(call, 1)) == 1
    done.set()
    assert await messages(call) == []


async def test_requests_are_read_on_without_awaiting_writes(stub) -> None:
    """A conflict chain over one call only succeeds if order is kept and nothing waits for the client."""
    requests = [batch_request("s", [event()], **NO_STREAM)]
    requests += [batch_request("s", [event()], stream_position=n) for n in range(200)]

    responses = await messages(stub.BatchAppend(iter(requests)))

    assert [response.success.current_revision for response in responses] == list(range(201))


async def test_a_split_write_is_one_write(stub, client) -> None:
    one, other = uuid4(), uuid4()
    requests = [
        batch_request("one", events(2), correlation_id=one, is_final=False),
        batch_request("other", events(1), correlation_id=other, is_final=False),
        batch_request(None, events(2), correlation_id=one, is_final=False),
        batch_request(None, [], correlation_id=other),
        batch_request(None, events(1), correlation_id=one),
    ]

    responses = await messages(stub.BatchAppend(iter(requests)))

    revisions = {r.correlation_id.string: r.success.current_revision for r in responses}
    assert revisions == {str(one): 4, str(other): 0}
    assert len(await client.get_stream("one")) == 5


@pytest.mark.parametrize("deadline_seconds", [None, 0.05])
async def test_an_unfinished_write_is_given_up(stub, client, monkeypatch, deadline_seconds: float | None) -> None:
    if deadline_seconds is None:
        monkeypatch.setattr(batch_append, "_LONGEST_WAIT_SECONDS", 0.05)
    request = batch_request("s", events(2), is_final=False, deadline_seconds=deadline_seconds)
    response = await answer(stub, request)

    assert response.correlation_id == request.correlation_id
    assert response.stream_identifier.stream_name == b"s"
    assert response.error.code == code_pb2.DEADLINE_EXCEEDED
    assert detail(response, shared_pb2.Timeout)
    assert await client.get_current_version("s") is StreamState.NO_STREAM


async def test_what_comes_too_late_is_ignored(stub, client, monkeypatch) -> None:
    monkeypatch.setattr(batch_append, "_LONGEST_WAIT_SECONDS", 0.01)
    id_, timed_out = uuid4(), asyncio.Event()

    async def requests():
        yield batch_request("s", events(2), correlation_id=id_, is_final=False)
        await timed_out.wait()
        yield batch_request(None, events(1), correlation_id=id_)
        yield batch_request("s", events(1), correlation_id=id_, **NO_STREAM)

    call = stub.BatchAppend(requests())
    (given_up,) = await messages(call, 1)
    timed_out.set()
    (written,) = await messages(call)

    assert given_up.error.code == code_pb2.DEADLINE_EXCEEDED
    assert written.success.current_revision == 0


async def test_parts_that_stand_behind_other_requests_have_not_come_too_late(stub, client, monkeypatch) -> None:
    monkeypatch.setattr(batch_append, "_LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(batch_append, "_QUIET_SECONDS", 5.0)
    id_, others = uuid4(), 100

    async def requests():
        yield batch_request("s", events(2), correlation_id=id_, is_final=False)
        for number in range(others):
            yield batch_request(f"other-{number}", events(1))
        yield batch_request(None, events(1), correlation_id=id_)

    answers = await messages(stub.BatchAppend(requests()))
    assert len(answers) == others + 1
    assert all(one.HasField("success") for one in answers)
    assert await client.get_current_version("s") == 2


async def test_an_unfinished_write_does_not_keep_a_node_from_stopping(monkeypatch) -> None:
    monkeypatch.setattr(batch_append, "_LONGEST_WAIT_SECONDS", 3600)
    node = EventStoreNode()
    await node.start()
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        requests = iter([batch_request("s", events(2), is_final=False), batch_request("t", [event()])])
        call = streams_pb2_grpc.StreamsStub(channel).BatchAppend(requests)
        await messages(call, 1)
        await asyncio.wait_for(node.stop(), 10)
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await messages(call)
    assert end.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_parts_without_options_are_ignored(stub) -> None:
    requests = [batch_request(None, events(1)), batch_request("s", events(1))]

    assert len(await messages(stub.BatchAppend(iter(requests)))) == 1


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        ({"stream_position": 3}, "expected_stream_position"),
        ({"stream_exists": empty_pb2.Empty()}, "expected_stream_exists"),
    ],
)
async def test_conflict_with_a_missing_stream(stub, expected, field) -> None:
    response = await answer(stub, batch_request("s", [event()], **expected))

    conflict = detail(response, shared_pb2.WrongExpectedVersion)
    assert response.error.code == code_pb2.ALREADY_EXISTS
    assert conflict.HasField("current_no_stream")
    assert conflict.WhichOneof("expected_stream_position_option") == field


async def test_conflict_with_a_stream_at_another_revision(stub, client) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))

    response = await answer(stub, batch_request("s", [event()], stream_position=1))

    conflict = detail(response, shared_pb2.WrongExpectedVersion)
    assert (conflict.current_stream_revision, conflict.expected_stream_position) == (2, 1)
    with pytest.raises(WrongCurrentVersion):
        await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])


async def test_tombstoned_stream(stub, client) -> None:
    await client.tombstone_stream("s", current_version=StreamState.ANY)

    response = await answer(stub, batch_request("s", [event()]))

    assert response.error.code == code_pb2.NOT_FOUND
    assert detail(response, shared_pb2.StreamDeleted).stream_identifier.stream_name == b"s"
    with pytest.raises(StreamIsDeleted):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])


async def test_too_large(stub, client) -> None:
    large = event("T", b"x" * 2**20)

    response = await answer(stub, batch_request("s", [large]))

    assert response.error.code == code_pb2.INVALID_ARGUMENT
    assert detail(response, shared_pb2.MaximumAppendSizeExceeded).maxAppendSize == 2**20
    with pytest.raises(MaximumAppendSizeExceededError):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[large])


async def test_too_large_in_parts_is_refused_once_and_the_call_goes_on(stub) -> None:
    id_ = uuid4()
    part = [event("T", b"x" * 2**19)]
    requests = [
        batch_request("s", part, correlation_id=id_, is_final=False),
        batch_request(None, part, correlation_id=id_, is_final=False),
        batch_request(None, part, correlation_id=id_),
        batch_request("s", [event()]),
    ]

    refused, written = await messages(stub.BatchAppend(iter(requests)))

    assert refused.correlation_id.string == str(id_)
    assert refused.stream_identifier.stream_name == b"s"
    assert refused.error.code == code_pb2.INVALID_ARGUMENT
    assert written.success.current_revision == 0


@pytest.mark.parametrize(
    "what", ["stream", "metadata of no stream", "expected", "id", "type", "empty type", "content type"]
)
async def test_bad_requests(stub, what) -> None:
    request = batch_request("s", [event()])
    match what:
        case "stream":
            request.options.stream_identifier.stream_name = b""
        case "metadata of no stream":
            request.options.stream_identifier.stream_name = b"$$"
        case "expected":
            request.options.ClearField("any")
        case "id":
            request.proposed_messages[0].id.string = "nonsense"
        case "type":
            del request.proposed_messages[0].metadata["type"]
        case "empty type":
            request.proposed_messages[0].metadata["type"] = ""
        case "content type":
            del request.proposed_messages[0].metadata["content-type"]

    response = await answer(stub, request)

    assert response.error.code == code_pb2.INVALID_ARGUMENT
    assert detail(response, shared_pb2.BadRequest).message


async def test_the_client_raises_bad_request(client) -> None:
    with pytest.raises(BadRequestError):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event("")])


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_deadline_that_is_over_is_a_timeout(stub, client, seconds) -> None:
    response = await answer(stub, batch_request("s", [event()], deadline_seconds=seconds))

    assert response.error.code == code_pb2.DEADLINE_EXCEEDED
    detail(response, shared_pb2.Timeout)
    assert await client.get_current_version("s") is StreamState.NO_STREAM


async def test_deadlines_as_timestamps(stub) -> None:
    past, future = batch_request("s", [event()]), batch_request("s", [event()])
    past.options.deadline_21_10_0.CopyFrom(timestamp_pb2.Timestamp(seconds=1))
    future.options.deadline_21_10_0.CopyFrom(timestamp_pb2.Timestamp(seconds=2**33))

    detail(await answer(stub, past), shared_pb2.Timeout)
    assert (await answer(stub, future)).success.current_revision == 0


async def test_a_client_that_takes_no_answers_is_not_read_from_for_ever(
    stub, node: EventStoreNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_append, "_MAX_UNSENT_ANSWERS", 50)
    # Long names, so that the answers fill what the transport holds.
    requests = [batch_request("s" * 4000, []) for _ in range(2000)]
    call = stub.BatchAppend()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for request in requests:
            await call.write(request)
            sent += 1
        await call.done_writing()

    sending = asyncio.create_task(send())

    async def stuck() -> bool:
        before = sent
        await asyncio.sleep(0.2)
        return sent == before

    await until(stuck)
    (serving,) = node._services.streams._batch_appends
    unsent = len(serving._outgoing)
    answers = await messages(call)
    await sending

    assert sent == 2000
    assert 0 < unsent < 1000
    assert [a.correlation_id for a in answers] == [r.correlation_id for r in requests]


async def test_a_client_that_goes_away_undoes_nothing(stub, client, caplog) -> None:
    """The async client cancels its call after every answer; others may do so before."""
    done = asyncio.Event()
    for n in range(20):
        call = stub.BatchAppend(endless([batch_request(f"s-{n}", [event()])], done))
        if n % 2:
            await messages(call, 1)
        else:
            await call.wait_for_connection()

            async def arrived(stream=f"s-{n}") -> bool:
                return await client.get_current_version(stream) == 0

            await until(arrived)
        call.cancel()
    done.set()

    written = [await client.get_current_version(f"s-{n}") for n in range(20)]

    assert written == [0] * 20
    assert not caplog.records


async def test_a_departure_while_the_status_is_sent_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with EventStoreNode():
        logger = logging.getLogger("grpc._cython.cygrpc")
        for error in (type("ExecuteBatchError", (Exception,), {})(), ValueError("real")):
            logger.error("raised by servicer method", exc_info=error)

    assert ["real" in (record.exc_text or "") for record in caplog.records] == [True]


async def test_many_calls_at_once(client) -> None:
    async def write(n: int) -> None:
        await client.append_to_stream(f"s-{n}", current_version=StreamState.NO_STREAM, events=events(2))

    await asyncio.gather(*(write(n) for n in range(100)))

    read = [e async for e in await client.read_all()]
    assert len(read) == 200
    positions = [e.commit_position for e in read]
    assert positions == sorted(set(positions))
