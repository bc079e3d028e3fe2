"""The ServerFeatures service: tells clients which methods this node serves, so that they use no others."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, cast

import grpc
import grpc.aio
from esdbclient.protos.Grpc import gossip_pb2, persistent_pb2, projections_pb2, shared_pb2, streams_pb2

from embedded.event_store_node.services import monitoring_service, operations_service
from embedded.event_store_node.services.protobuf_messages import SupportedMethod, SupportedMethods

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "event_store.client.server_features.ServerFeatures"
# The server whose behaviour this node has.
SERVER_VERSION = "24.10.0"
NODE_HEADER = "eventfold-node"

_METHODS = {
    SERVICE: ("GetSupportedMethods",),
    operations_service.SERVICE: operations_service.METHODS,
    monitoring_service.SERVICE: monitoring_service.METHODS,
} | {
    service.full_name: tuple(service.methods_by_name)
    for file in (streams_pb2, persistent_pb2, projections_pb2, gossip_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
}


class Service(Protocol):
    def add_to(self, server: grpc.aio.Server) -> None: ...


class ServerFeaturesService:
    """Lists the methods of `services`, and its own."""

    def __init__(self, services: Iterable[Service]) -> None:
        served = _ServedMethods()
        for service in (*services, self):
            service.add_to(cast(grpc.aio.Server, served))
        self._answer = SupportedMethods(
            event_store_server_version=SERVER_VERSION,
            methods=[
                # In lower case, as the real server has them.
                SupportedMethod(
                    method_name=method.lower(), service_name=service.lower(), features=_features(service, method)
                )
                for service, methods in _METHODS.items()
                for method in methods
                if served.includes(f"/{service}/{method}")
            ],
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetSupportedMethods": grpc.unary_unary_rpc_method_handler(
                self.GetSupportedMethods,
                request_deserializer=shared_pb2.Empty.FromString,
                response_serializer=SupportedMethods.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def GetSupportedMethods(self, request: shared_pb2.Empty, context: Context) -> Any:
        # So that a client can tell this node from the server whose version it names.
        await context.send_initial_metadata(((NODE_HEADER, "1"),))
        return self._answer


class _ServedMethods:
    """Stands in for a server to which services are added, to learn what they serve."""

    def __init__(self) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """The same methods once more, as generated code adds them."""

    def includes(self, path: str) -> bool:
        call = cast(grpc.HandlerCallDetails, _Call(path, ()))
        return any(handler.service(call) is not None for handler in self._handlers)


class _Call(NamedTuple):
    method: str
    invocation_metadata: tuple[()]


def _features(service: str, method: str) -> tuple[str, ...]:
    """What clients ask for by name before they use a method."""
    match service.rpartition(".")[2], method:
        case "PersistentSubscriptions", _:
            return ("stream", "all")
        case "Streams", "Read":
            return ("position", "events")
        case "Streams", "BatchAppend":
            return ("deadline_duration",)
        case "Projections", "Create":
            return ("track_emitted_streams",)
        case _:
            return ()
