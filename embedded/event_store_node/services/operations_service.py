"""The Operations service: what an operator asks of a node of a cluster, answered by a cluster of one."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from esdbclient.protos.Grpc import shared_pb2

from embedded.event_store_node.protocol import errors
from embedded.event_store_node.scavenge.scavenger import Scavenger, UnknownScavengeError
from embedded.event_store_node.services import protobuf_messages
from embedded.event_store_node.services.reporting import reporting

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "event_store.client.operations.Operations"
METHODS = (
    "StartScavenge",
    "StopScavenge",
    "Shutdown",
    "MergeIndexes",
    "ResignNode",
    "SetNodePriority",
    "RestartPersistentSubscriptions",
)

_EMPTY = shared_pb2.Empty()


async def _nothing() -> None:
    pass


class OperationsService:
    """`shut_down` is to begin the node's end and return at once."""

    def __init__(
        self,
        scavenger: Scavenger,
        shut_down: Callable[[], None],
        restart_persistent_subscriptions: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._scavenger = scavenger
        self._shut_down = shut_down
        self._restart_persistent_subscriptions = restart_persistent_subscriptions

    def add_to(self, server: grpc.aio.Server) -> None:
        empty = shared_pb2.Empty
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "StartScavenge": _unary(self.StartScavenge, protobuf_messages.StartScavengeReq),
            "StopScavenge": _unary(self.StopScavenge, protobuf_messages.StopScavengeReq),
            "Shutdown": _unary(self.Shutdown, empty),
            "MergeIndexes": _unary(self.MergeIndexes, empty),
            "ResignNode": _unary(self.ResignNode, empty),
            "SetNodePriority": _unary(self.SetNodePriority, protobuf_messages.SetNodePriorityReq),
            "RestartPersistentSubscriptions": _unary(self.RestartPersistentSubscriptions, empty),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def StartScavenge(self, request: Any, context: Context) -> Any:
        """Threads and chunks are the real server's matter: the options change nothing here."""
        async with reporting(context):
            scavenge_id, is_new = await self._scavenger.start()
            result = protobuf_messages.SCAVENGE_STARTED if is_new else protobuf_messages.SCAVENGE_IN_PROGRESS
            return protobuf_messages.ScavengeResp(scavenge_id=scavenge_id, scavenge_result=result)

    async def StopScavenge(self, request: Any, context: Context) -> Any:
        async with reporting(context):
            try:
                scavenge_id = await self._scavenger.stop(request.options.scavenge_id)
            except UnknownScavengeError as error:
                raise errors.RpcError(
                    grpc.StatusCode.NOT_FOUND,
                    "Scavenge id was invalid.",
                    {"exception": "scavenge-not-found", "scavenge-id": str(error)},
                ) from None
            return protobuf_messages.ScavengeResp(
                scavenge_id=scavenge_id, scavenge_result=protobuf_messages.SCAVENGE_STOPPED
            )

    async def Shutdown(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        self._shut_down()
        return _EMPTY

    async def MergeIndexes(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        """There is one index, always merged."""
        return _EMPTY

    async def ResignNode(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        """The only node leads again at once."""
        return _EMPTY

    async def SetNodePriority(self, request: Any, context: Context) -> shared_pb2.Empty:
        """There is no election to be preferred in."""
        return _EMPTY

    async def RestartPersistentSubscriptions(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        async with reporting(context):
            await self._restart_persistent_subscriptions()
            return _EMPTY


def _unary(method: Any, request: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
