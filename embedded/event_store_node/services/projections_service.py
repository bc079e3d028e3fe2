"""The Projections service: switches the system projections and tells how far they are. There are no others."""

from typing import Any

import grpc
import grpc.aio
from esdbclient.protos.Grpc import projections_pb2 as pb
from esdbclient.protos.Grpc import shared_pb2
from google.protobuf import struct_pb2

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.projections import statistics
from embedded.event_store_node.projections.emitter import StorageFailure
from embedded.event_store_node.projections.projection import SystemProjection
from embedded.event_store_node.projections.subsystem import Projections, UnknownProjectionError
from embedded.event_store_node.protocol import errors
from embedded.event_store_node.services.reporting import reporting

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "event_store.client.projections.Projections"


class ProjectionsService:
    """
    Serves the system projections. Create is not served. Update and Delete find none but these, and they can't
    be changed.
    """

    def __init__(self, projections: Projections, broker: Broker) -> None:
        self._projections = projections
        self._broker = broker

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Update": _unary(self.Update, pb.UpdateReq),
            "Delete": _unary(self.Delete, pb.DeleteReq),
            "Statistics": grpc.unary_stream_rpc_method_handler(
                self.Statistics,
                request_deserializer=pb.StatisticsReq.FromString,
                response_serializer=pb.StatisticsResp.SerializeToString,
            ),
            "Disable": _unary(self.Disable, pb.DisableReq),
            "Enable": _unary(self.Enable, pb.EnableReq),
            "Reset": _unary(self.Reset, pb.ResetReq),
            "State": _unary(self.State, pb.StateReq),
            "Result": _unary(self.Result, pb.ResultReq),
            "RestartSubsystem": _unary(self.RestartSubsystem, shared_pb2.Empty),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def Statistics(self, request: pb.StatisticsReq, context: Context) -> None:
        async with _reporting(context):
            for projection in self._asked_for(request.options):
                details = statistics.details(projection, self._broker.last_position)
                await context.write(pb.StatisticsResp(details=details))

    def _asked_for(self, options: pb.StatisticsReq.Options) -> list[SystemProjection]:
        if options.name:
            return [self._projections[options.name]]
        is_of_no_mode = options.WhichOneof("mode") in ("transient", "one_time")
        return [] if is_of_no_mode else list(self._projections.all())

    async def Enable(self, request: pb.EnableReq, context: Context) -> pb.EnableResp:
        async with _reporting(context):
            await self._projections[request.options.name].enable()
            return pb.EnableResp()

    async def Disable(self, request: pb.DisableReq, context: Context) -> pb.DisableResp:
        async with _reporting(context):
            await self._projections[request.options.name].disable(request.options.write_checkpoint)
            return pb.DisableResp()

    async def Reset(self, request: pb.ResetReq, context: Context) -> pb.ResetResp:
        async with _reporting(context):
            await self._projections[request.options.name].reset()
            return pb.ResetResp()

    async def State(self, request: pb.StateReq, context: Context) -> pb.StateResp:
        """A system projection emits and has no state: an empty object, as for every projection without one."""
        async with _reporting(context):
            _ = self._projections[request.options.name]
            return pb.StateResp(state=struct_pb2.Value(struct_value=struct_pb2.Struct()))

    async def Result(self, request: pb.ResultReq, context: Context) -> pb.ResultResp:
        async with _reporting(context):
            _ = self._projections[request.options.name]
            return pb.ResultResp(result=struct_pb2.Value(struct_value=struct_pb2.Struct()))

    async def RestartSubsystem(self, request: shared_pb2.Empty, context: Context) -> shared_pb2.Empty:
        async with _reporting(context):
            await self._projections.restart()
            return shared_pb2.Empty()

    async def Update(self, request: pb.UpdateReq, context: Context) -> pb.UpdateResp:
        async with _reporting(context):
            raise _unchangeable(self._projections[request.options.name])

    async def Delete(self, request: pb.DeleteReq, context: Context) -> pb.DeleteResp:
        async with _reporting(context):
            raise _unchangeable(self._projections[request.options.name])


class _reporting(reporting):  # noqa: N801 - reads as a statement
    """As for every service, with what can go wrong here."""

    async def __aexit__(self, exception_type: Any, exception: Any, traceback: Any) -> None:
        match exception:
            case UnknownProjectionError():
                exception = errors.RpcError(grpc.StatusCode.NOT_FOUND, f"Projection '{exception}' not found")
            case StorageFailure():
                exception = errors.unavailable(str(exception))
        await super().__aexit__(exception_type, exception, traceback)


def _unchangeable(projection: SystemProjection) -> errors.RpcError:
    return errors.RpcError(
        grpc.StatusCode.UNIMPLEMENTED, f"{projection.definition.name} is a system projection: it can't be changed"
    )


def _unary(method: Any, request: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
