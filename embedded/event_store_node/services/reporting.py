"""How a call ends when its handler raises, and what of it is logged."""

import logging
import sqlite3
from types import TracebackType
from typing import Any

import grpc.aio

from embedded.event_store_node.log.broker import BrokerClosedError
from embedded.event_store_node.protocol import errors

logger = logging.getLogger(__name__)


class reporting:  # noqa: N801 - reads as a statement
    """`async with reporting(context)`: end the call with the status that an exception stands for."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # gRPC's own errors mean that the client is gone; other base exceptions are cancellations.
        if not isinstance(exception, Exception) or isinstance(exception, grpc.aio.BaseError):
            return
        await _status(exception).abort(self._context)


def _status(exception: Exception) -> errors.RpcError:
    match exception:
        case errors.RpcError():
            return exception
        case BrokerClosedError():
            return errors.unavailable("the event store node is shutting down")
        case sqlite3.Error():
            logger.error("The event log cannot be read: %s", exception)
            return errors.unavailable(f"the event log cannot be read: {exception}")
        case _:
            logger.error("A call failed", exc_info=exception)
            return errors.handler_failed()


def is_no_departure(record: logging.LogRecord) -> bool:
    """
    A filter for gRPC's log: a client that cancels its call just when the status is sent is normal (esdbclient
    does so after each append), yet gRPC logs it as an error.
    """
    exception = record.exc_info[1] if record.exc_info else None
    return type(exception).__name__ != "ExecuteBatchError"
