"""What receives the answers of long reads: chosen by who the server is, unless the settings say it.

Our HTTP/2 reader costs less CPU for an event than grpcio (docs/decisions/0007), but it was only run against our own
node; so that is where it is used of itself. The node says who it is in the headers of a call that every server answers.
"""

from typing import Any, Literal

import grpc
import structlog

log = structlog.get_logger(__name__)

Reader = Literal["auto", "http2", "grpc"]

_METHOD = "/event_store.client.server_features.ServerFeatures/GetSupportedMethods"
_EMBEDDED_NODE = "eventfold-node"
_TIMEOUT = 2.0
# What says that the server could not be asked, rather than who it is.
_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class ReaderChoice:
    """`given` is what the settings say; with "auto" the first server that answers is asked once."""

    def __init__(self, given: Reader) -> None:
        self._given = given
        self._chosen = given

    def forget(self) -> None:
        """Another server may answer from now on."""
        self._chosen = self._given

    def use_grpc(self, because: str) -> None:
        """Lets grpcio read from now on: it is used to all kinds of servers and what stands before them."""
        self._given = self._chosen = "grpc"
        log.warning("the HTTP/2 reader can't be used; reading by gRPC, which costs more CPU", reason=because)

    async def is_http2(self, channel: Any, call_options: dict[str, Any]) -> bool:
        """Whether our HTTP/2 reader is to read. While the server can't be asked, it is not, and is asked again."""
        if self._chosen == "auto":
            await self._ask(channel, call_options)
        return self._chosen == "http2"

    async def _ask(self, channel: Any, call_options: dict[str, Any]) -> None:
        call = channel.unary_unary(_METHOD)(b"", timeout=_TIMEOUT, **call_options)
        try:
            await call
            names = {name for name, _ in await call.initial_metadata()}
        except grpc.RpcError as error:
            if error.code() not in _AWAY:
                self._choose("grpc")
            return
        self._choose("http2" if _EMBEDDED_NODE in names else "grpc")

    def _choose(self, reader: Reader) -> None:
        self._chosen = reader
        log.info("subscriptions are received by this reader", reader=reader)
