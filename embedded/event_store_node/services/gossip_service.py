"""The Gossip service: a cluster of one, which leads."""

import time
from typing import Any
from uuid import uuid4

import grpc.aio
from esdbclient.protos.Grpc import gossip_pb2, gossip_pb2_grpc, shared_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class GossipService(gossip_pb2_grpc.GossipServicer):
    """Tells clients that this node is the leader, where to find it, and whether it `is_alive`."""

    is_alive = True

    def __init__(self, host: str, port: int) -> None:
        self._address = host
        self._port = port
        self._instance_id = str(uuid4())

    def add_to(self, server: grpc.aio.Server) -> None:
        gossip_pb2_grpc.add_GossipServicer_to_server(self, server)  # type: ignore[no-untyped-call]

    async def Read(self, request: shared_pb2.Empty, context: Context) -> gossip_pb2.ClusterInfo:
        member = gossip_pb2.MemberInfo(
            instance_id=shared_pb2.UUID(string=self._instance_id),
            time_stamp=time.time_ns() // 100,
            state=gossip_pb2.MemberInfo.Leader,
            is_alive=self.is_alive,
            http_end_point=gossip_pb2.EndPoint(address=self._address, port=self._port),
        )
        return gossip_pb2.ClusterInfo(members=[member])
