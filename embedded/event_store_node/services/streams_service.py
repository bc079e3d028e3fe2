"""The Streams service: append, batch append, read, subscribe, delete, tombstone."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from esdbclient.protos.Grpc import shared_pb2, streams_pb2, streams_pb2_grpc

from embedded.event_store_node.log.broker import Broker, BrokerClosedError
from embedded.event_store_node.log.events import ANY, NO_STREAM, STREAM_EXISTS, ProposedEvent, is_no_stream
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import (
    Appended,
    DeadlinePassed,
    Failed,
    Kind,
    Outcome,
    StreamDeleted,
    WrongVersion,
)
from embedded.event_store_node.protocol import errors
from embedded.event_store_node.services import read_request, reads, subscriptions
from embedded.event_store_node.services.batch_append import BatchAppendCall
from embedded.event_store_node.services.encoder import Encoder
from embedded.event_store_node.services.proposals import (
    BadProposalError,
    MissingMetadataError,
    NameTooLongError,
    check_stream_name,
    proposed_event,
)
from embedded.event_store_node.services.reporting import reporting

Context = grpc.aio.ServicerContext[Any, Any]
ChangeOptions = streams_pb2.AppendReq.Options | streams_pb2.DeleteReq.Options | streams_pb2.TombstoneReq.Options

SERVICE = "event_store.client.streams.Streams"


class StreamsService(streams_pb2_grpc.StreamsServicer):
    """Serves every stream of one log."""

    def __init__(self, writer: Writer, reader: Reader, broker: Broker) -> None:
        self._writer = writer
        self._reader = reader
        self._broker = broker
        self._batch_appends: set[BatchAppendCall] = set()

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            # No serializer: the messages of a read are made as bytes.
            "Read": grpc.unary_stream_rpc_method_handler(
                self.Read, request_deserializer=streams_pb2.ReadReq.FromString
            ),
            "Append": grpc.stream_unary_rpc_method_handler(
                self.Append,
                request_deserializer=streams_pb2.AppendReq.FromString,
                response_serializer=streams_pb2.AppendResp.SerializeToString,
            ),
            "BatchAppend": grpc.stream_stream_rpc_method_handler(
                self.BatchAppend,
                request_deserializer=streams_pb2.BatchAppendReq.FromString,
                response_serializer=streams_pb2.BatchAppendResp.SerializeToString,
            ),
            "Delete": grpc.unary_unary_rpc_method_handler(
                self.Delete,
                request_deserializer=streams_pb2.DeleteReq.FromString,
                response_serializer=streams_pb2.DeleteResp.SerializeToString,
            ),
            "Tombstone": grpc.unary_unary_rpc_method_handler(
                self.Tombstone,
                request_deserializer=streams_pb2.TombstoneReq.FromString,
                response_serializer=streams_pb2.TombstoneResp.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def close(self) -> None:
        """End the batch append calls that clients keep open."""
        for call in self._batch_appends:
            call.stop()

    async def Read(self, request: streams_pb2.ReadReq, context: Context) -> None:
        async with reporting(context), aclosing(self._messages(request.options)) as chunks:
            async for messages in chunks:
                for message in messages:
                    await context.write(message)
                if self._broker.is_closed:
                    raise BrokerClosedError

    def _messages(self, options: streams_pb2.ReadReq.Options) -> Any:
        request = read_request.parse(options)
        structured_uuid = options.uuid_option.WhichOneof("content") != "string"
        encoder = Encoder(self._reader, options.resolve_links, structured_uuid)
        if request.limit is None:
            subscribe = subscriptions.subscribe_to_stream if request.stream else subscriptions.subscribe_to_all
            return subscribe(self._reader, self._broker, request, encoder)
        read = reads.read_stream if request.stream else reads.read_all
        return read(self._reader, request, encoder)

    async def Append(self, requests: AsyncIterator[streams_pb2.AppendReq], context: Context) -> streams_pb2.AppendResp:
        async with reporting(context):
            options, events = await _received(requests)
            expected = _expected(options)
            stream = _stream_name(options)
            try:
                check_stream_name(stream)
            except NameTooLongError as error:
                raise errors.invalid_argument(str(error)) from None
            outcome = await self._writer.write(Kind.APPEND, stream, expected, events)
            match outcome:
                case Appended(revision, position):
                    return _appended(revision, position)
                case WrongVersion(current):
                    return _wrong_expected_version(expected, current)
                case _:
                    raise _error(outcome, "Append", options)

    async def BatchAppend(self, requests: AsyncIterator[streams_pb2.BatchAppendReq], context: Context) -> None:
        call = BatchAppendCall(self._writer, context)
        self._batch_appends.add(call)
        try:
            async with reporting(context):
                await call.run(requests)
        finally:
            self._batch_appends.discard(call)

    async def Delete(self, request: streams_pb2.DeleteReq, context: Context) -> streams_pb2.DeleteResp:
        async with reporting(context):
            outcome = await self._change(Kind.DELETE, request.options)
            if not isinstance(outcome, Appended):
                raise _error(outcome, "Delete", request.options)
            position = outcome.position
            return streams_pb2.DeleteResp(
                position=streams_pb2.DeleteResp.Position(commit_position=position, prepare_position=position)
            )

    async def Tombstone(self, request: streams_pb2.TombstoneReq, context: Context) -> streams_pb2.TombstoneResp:
        async with reporting(context):
            outcome = await self._change(Kind.TOMBSTONE, request.options)
            if not isinstance(outcome, Appended):
                raise _error(outcome, "Delete", request.options)
            position = outcome.position
            return streams_pb2.TombstoneResp(
                position=streams_pb2.TombstoneResp.Position(commit_position=position, prepare_position=position)
            )

    async def _change(self, kind: Kind, options: ChangeOptions) -> Outcome:
        return await self._writer.write(kind, _stream_name(options), _expected(options))


async def _received(
    requests: AsyncIterator[streams_pb2.AppendReq],
) -> tuple[streams_pb2.AppendReq.Options, list[ProposedEvent]]:
    options: streams_pb2.AppendReq.Options | None = None
    events: list[ProposedEvent] = []
    size = 0
    async for request in requests:
        if options is None:
            if request.WhichOneof("content") != "options":
                raise errors.handler_failed()
            options = request.options
            continue
        if request.WhichOneof("content") != "proposed_message":
            raise errors.handler_failed()
        try:
            event = proposed_event(request.proposed_message)
        except MissingMetadataError as error:
            raise errors.required_metadata_missing(error.key) from None
        except NameTooLongError as error:
            raise errors.invalid_argument(str(error)) from None
        except BadProposalError:
            raise errors.handler_failed() from None
        size += event.size
        if size > errors.MAX_APPEND_SIZE:
            raise errors.maximum_append_size_exceeded()
        events.append(event)
    if options is None:
        raise errors.handler_failed()
    return options, events


def _stream_name(options: ChangeOptions) -> str:
    name = options.stream_identifier.stream_name.decode(errors="replace")
    if is_no_stream(name):
        raise errors.handler_failed()
    return name


def _expected(options: ChangeOptions) -> int:
    match options.WhichOneof("expected_stream_revision"):
        case "revision":
            return options.revision
        case "no_stream":
            return NO_STREAM
        case "stream_exists":
            return STREAM_EXISTS
        case "any":
            return ANY
        case _:
            raise errors.invalid_argument("the expected stream revision is missing")


def _error(outcome: Outcome, operation: str, options: ChangeOptions) -> errors.RpcError:
    match outcome:
        case WrongVersion(current):
            return errors.wrong_expected_version(operation, _stream_name(options), _expected(options), current)
        case StreamDeleted():
            return errors.stream_deleted(_stream_name(options))
        case DeadlinePassed():
            return errors.timed_out(operation)
        case Failed(reason):
            return errors.unavailable(f"the event log cannot be written: {reason}")
        case Appended():
            raise AssertionError("a success is no error")


def _appended(revision: int, position: int) -> streams_pb2.AppendResp:
    success = streams_pb2.AppendResp.Success(
        position=streams_pb2.AppendResp.Position(commit_position=position, prepare_position=position)
    )
    if revision < 0:
        success.no_stream.CopyFrom(shared_pb2.Empty())
    else:
        success.current_revision = revision
    return streams_pb2.AppendResp(success=success)


def _wrong_expected_version(expected: int, current: int) -> streams_pb2.AppendResp:
    """A conflict is a regular answer to Append; each fact is told twice, for clients before 20.6.1 too."""
    answer = streams_pb2.AppendResp.WrongExpectedVersion()
    if current < 0:
        answer.current_no_stream.CopyFrom(shared_pb2.Empty())
        answer.no_stream_20_6_0.CopyFrom(shared_pb2.Empty())
    else:
        answer.current_revision = answer.current_revision_20_6_0 = current
    if expected >= 0:
        answer.expected_revision = answer.expected_revision_20_6_0 = expected
    elif expected == ANY:
        answer.expected_any.CopyFrom(shared_pb2.Empty())
        answer.any_20_6_0.CopyFrom(shared_pb2.Empty())
    elif expected == STREAM_EXISTS:
        answer.expected_stream_exists.CopyFrom(shared_pb2.Empty())
        answer.stream_exists_20_6_0.CopyFrom(shared_pb2.Empty())
    else:
        answer.expected_no_stream.CopyFrom(shared_pb2.Empty())
        answer.expected_revision_20_6_0 = 2**64 - 1
    return streams_pb2.AppendResp(wrong_expected_version=answer)
