"""The PersistentSubscriptions service: there are none, and none can be made yet."""

from typing import Any

import grpc
import grpc.aio
from esdbclient.protos.Grpc import persistent_pb2

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "event_store.client.persistent_subscriptions.PersistentSubscriptions"


class PersistentSubscriptionsService:
    """Lists the persistent subscriptions; every other method is UNIMPLEMENTED."""

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "List": grpc.unary_unary_rpc_method_handler(
                self.List,
                request_deserializer=persistent_pb2.ListReq.FromString,
                response_serializer=persistent_pb2.ListResp.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def List(self, request: persistent_pb2.ListReq, context: Context) -> persistent_pb2.ListResp:
        if request.options.WhichOneof("list_option") == "list_for_stream":
            await context.abort(grpc.StatusCode.NOT_FOUND, "No persistent subscriptions to this stream.")
        return persistent_pb2.ListResp()
