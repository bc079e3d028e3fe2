"""The PersistentSubscriptions service: none exist, and none can be made yet."""

from typing import Any

import grpc
import grpc.aio
from esdbclient.protos.Grpc import persistent_pb2, persistent_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class PersistentSubscriptionsService(persistent_pb2_grpc.PersistentSubscriptionsServicer):
    """Lists the persistent subscriptions; what is not defined here is UNIMPLEMENTED."""

    def add_to(self, server: grpc.aio.Server) -> None:
        persistent_pb2_grpc.add_PersistentSubscriptionsServicer_to_server(self, server)  # type: ignore[no-untyped-call]

    async def List(self, request: persistent_pb2.ListReq, context: Context) -> persistent_pb2.ListResp:
        if request.options.WhichOneof("list_option") == "list_for_stream":
            await context.abort(grpc.StatusCode.NOT_FOUND, "No persistent subscriptions to this stream.")
        return persistent_pb2.ListResp()
