"""The PersistentSubscriptions service: groups are created, changed, read and watched."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

import grpc
import grpc.aio
from esdbclient.protos.Grpc import persistent_pb2, shared_pb2

from embedded.event_store_node.persistent import errors, requests
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.definition import ALL
from embedded.event_store_node.persistent.delivery import confirmation, delivery
from embedded.event_store_node.persistent.group import Group
from embedded.event_store_node.persistent.info import Measurement
from embedded.event_store_node.persistent.message import message_id
from embedded.event_store_node.persistent.subsystem import PersistentSubscriptions
from embedded.event_store_node.protocol.errors import RpcError, handler_failed
from embedded.event_store_node.security.caller import caller
from embedded.event_store_node.services.reporting import reporting

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
ReadReq = persistent_pb2.ReadReq

# A deadline that is over arrives rounded up to a millisecond.
_NO_TIME_SECONDS = 0.001

SERVICE = "event_store.client.persistent_subscriptions.PersistentSubscriptions"


class PersistentSubscriptionsService:
    """Serves every group of one log."""

    def __init__(self, subscriptions: PersistentSubscriptions) -> None:
        self._subscriptions = subscriptions
        self._measurements: WeakKeyDictionary[Group, Measurement] = WeakKeyDictionary()

    def add_to(self, server: grpc.aio.Server) -> None:
        unary: dict[str, tuple[Any, Any]] = {
            "Create": (self.Create, persistent_pb2.CreateReq),
            "Update": (self.Update, persistent_pb2.UpdateReq),
            "Delete": (self.Delete, persistent_pb2.DeleteReq),
            "GetInfo": (self.GetInfo, persistent_pb2.GetInfoReq),
            "List": (self.List, persistent_pb2.ListReq),
            "ReplayParked": (self.ReplayParked, persistent_pb2.ReplayParkedReq),
            "RestartSubsystem": (self.RestartSubsystem, shared_pb2.Empty),
        }
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=request.FromString,
                response_serializer=lambda response: response.SerializeToString(),
            )
            for name, (method, request) in unary.items()
        }
        # No serializer: the messages of a read are made as bytes.
        handlers["Read"] = grpc.stream_stream_rpc_method_handler(self.Read, request_deserializer=ReadReq.FromString)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    # Changes

    async def Create(self, request: persistent_pb2.CreateReq, context: Context) -> persistent_pb2.CreateResp:
        async with reporting(context):
            _check_time(context)
            await _to_the_end(self._subscriptions.create(requests.created(request.options)))
            return persistent_pb2.CreateResp()

    async def Update(self, request: persistent_pb2.UpdateReq, context: Context) -> persistent_pb2.UpdateResp:
        async with reporting(context):
            _check_time(context)
            await _to_the_end(self._subscriptions.update(requests.updated(request.options)))
            return persistent_pb2.UpdateResp()

    async def Delete(self, request: persistent_pb2.DeleteReq, context: Context) -> persistent_pb2.DeleteResp:
        async with reporting(context):
            _check_time(context)
            options = request.options
            stream = _stream(options)
            if options.WhichOneof("stream_option") == "stream_identifier":
                stream = requests.checked_stream(options.stream_identifier.stream_name, options.group_name)
            await _to_the_end(self._subscriptions.delete(stream, options.group_name))
            return persistent_pb2.DeleteResp()

    async def RestartSubsystem(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        async with reporting(context):
            _check_time(context)
            await _to_the_end(self._subscriptions.restart())
            return shared_pb2.Empty()

    # Looking and replaying

    async def GetInfo(self, request: persistent_pb2.GetInfoReq, context: Context) -> persistent_pb2.GetInfoResp:
        async with reporting(context):
            _check_time(context)
            group = self._subscriptions.group(_stream(request.options), request.options.group_name)
            return persistent_pb2.GetInfoResp(subscription_info=self._info(group))

    async def List(self, request: persistent_pb2.ListReq, context: Context) -> persistent_pb2.ListResp:
        async with reporting(context):
            _check_time(context)
            match request.options.WhichOneof("list_option"):
                case "list_all_subscriptions":
                    groups = self._subscriptions.groups()
                case "list_for_stream":
                    groups = self._subscriptions.groups(_stream(request.options.list_for_stream))
                case _:
                    raise handler_failed()
            return persistent_pb2.ListResp(subscriptions=[self._info(group) for group in groups])

    async def ReplayParked(
        self, request: persistent_pb2.ReplayParkedReq, context: Context
    ) -> persistent_pb2.ReplayParkedResp:
        async with reporting(context):
            _check_time(context)
            options = request.options
            stream = _stream(options)
            stop_at = options.stop_at if options.WhichOneof("stop_at_option") == "stop_at" else None
            if options.WhichOneof("stop_at_option") is None:
                raise handler_failed()
            if stop_at is not None and stop_at < 0:
                reason = "Cannot stop replaying parked message at a negative version."
                raise errors.failed(stream, options.group_name, reason)
            self._subscriptions.group(stream, options.group_name).replay_parked(stop_at)
            return persistent_pb2.ReplayParkedResp()

    def _info(self, group: Group) -> persistent_pb2.SubscriptionInfo:
        return self._measurements.setdefault(group, Measurement(group.began)).info(group)

    # Reading

    async def Read(self, read_requests: AsyncIterator[ReadReq], context: Context) -> None:
        async with reporting(context):
            _check_time(context)
            first = await anext(read_requests, None)
            if first is None:
                return
            options = first.options
            has_uuid_option = first.WhichOneof("content") == "options" and options.HasField("uuid_option")
            if not has_uuid_option or options.buffer_size <= 0:
                raise handler_failed()
            structured_uuid = options.uuid_option.WhichOneof("content") != "string"
            group = self._subscriptions.group(_stream(options), options.group_name)
            consumer = Consumer(options.buffer_size, _connection_name(context), caller.get())
            group.connect(consumer)
            answers = asyncio.create_task(_take_answers(read_requests, group))
            try:
                await context.write(confirmation(group.definition.key))
                while True:
                    for message in await consumer.take():
                        await context.write(delivery(message, structured_uuid))
            finally:
                answers.cancel()
                group.disconnect(consumer)


async def _take_answers(read_requests: AsyncIterator[ReadReq], group: Group) -> None:
    """Take acks and nacks until the client has no more; what makes no sense ends it, as on the server."""
    try:
        async for request in read_requests:
            match request.WhichOneof("content"):
                case "ack":
                    group.acknowledge([message_id(id_) for id_ in request.ack.ids])
                case "nack":
                    _reject(group, request.nack)
                case _:
                    return
    except (grpc.aio.BaseError, ValueError):
        return
    except Exception:
        logger.exception("The answers of a consumer of group %s are no longer taken", group.definition.key)


def _reject(group: Group, nack: ReadReq.Nack) -> None:
    ids = [message_id(id_) for id_ in nack.ids]
    match nack.action:
        case ReadReq.Nack.Unknown | ReadReq.Nack.Retry:
            group.retry(ids)
        case ReadReq.Nack.Park:
            group.park(ids, nack.reason)
        case ReadReq.Nack.Skip | ReadReq.Nack.Stop:
            group.acknowledge(ids)
        case _:
            raise ValueError(f"{nack.action} is not an action")


def _stream(options: Any) -> str:
    """The stream that options name, `$all` among them."""
    match options.WhichOneof("stream_option"):
        case "all":
            return ALL
        case "stream_identifier":
            identifier = options.stream_identifier
        case "stream":
            identifier = options.stream
        case _:
            raise handler_failed()
    name: str = identifier.stream_name.decode(errors="replace")
    return name


def _connection_name(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "connection-name":
            return value if isinstance(value, str) else value.decode(errors="replace")
    return "<unknown>"


async def _to_the_end(change: Coroutine[Any, Any, None]) -> None:
    """Carry a change through, even if the client goes away: groups and configuration are never at odds."""
    task = asyncio.create_task(change)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.shield(task)


def _check_time(context: Context) -> None:
    """Refuse a call whose deadline is over: nobody waits for the answer, and no change may come of it."""
    remaining = context.time_remaining()
    if remaining is not None and remaining <= _NO_TIME_SECONDS:
        raise RpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
