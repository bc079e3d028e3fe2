"""One BatchAppend call: many writes, told apart by correlation ids, each answered when it is durable."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc.aio
from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Kind, Outcome, WriteRequest
from embedded.event_store_node.protocol import errors
from embedded.event_store_node.security.permission import may_write
from embedded.event_store_node.services import batch_responses
from embedded.event_store_node.services.open_write import OpenWrite, RefusedError, open_write

Request = streams_pb2.BatchAppendReq
Response = streams_pb2.BatchAppendResp
Context = grpc.aio.ServicerContext[Request, Response]

# However long its deadline is, a write whose parts do not all come within this time is given up.
_LONGEST_WAIT_SECONDS = 2.0
# While other requests of the call still come this close together, those parts may stand behind them, sent in time.
_QUIET_SECONDS = 0.25
_LONGEST_PATIENCE_SECONDS = 20.0
# A client that does not take its answers is not read from any more.
_MAX_UNSENT_ANSWERS = 1024


class BatchAppendCall:
    """
    Serves one call. Requests are read on without waiting for writes; answers are sent in the order of the
    commits. A client that goes away before its answer has no effect on what is written.
    """

    def __init__(self, writer: Writer, context: Context) -> None:
        self._writer = writer
        self._context = context
        self._may_write = may_write.get()
        self._open: dict[bytes, OpenWrite] = {}
        self._received_at = 0.0
        self._in_flight = 0
        self._outgoing: deque[Response] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._is_reading = True
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    async def run(self, requests: AsyncIterator[Request]) -> None:
        """
        Serve until the client has sent everything and has every answer.

        Raises:
            RpcError: UNAVAILABLE, after `stop`.
        """
        self._task = asyncio.current_task()
        try:
            await self._read(requests)
            await self._send_the_rest()
        finally:
            for write in self._open.values():
                write.stop_timer()
            if self._sender is not None:
                self._sender.cancel()
        if self._is_stopping:
            raise errors.unavailable("the event store node is shutting down")

    def stop(self) -> None:
        """Read no more requests: answer those that were read, then end the call."""
        self._is_stopping = True
        self._answered.set()
        if self._is_reading and self._task is not None:
            self._task.cancel()

    async def _read(self, requests: AsyncIterator[Request]) -> None:
        try:
            async for request in requests:
                self._receive(request)
                await self._writer.room()
                if len(self._outgoing) > _MAX_UNSENT_ANSWERS and self._sender is not None:
                    await asyncio.wait([self._sender])
        except asyncio.CancelledError:
            if not self._is_stopping or self._task is None:
                raise
            self._task.uncancel()
        self._is_reading = False

    def _receive(self, request: Request) -> None:
        key = request.correlation_id.SerializeToString()
        self._received_at = time.monotonic()
        try:
            if request.HasField("options") and key not in self._open:
                self._open[key] = open_write(request.options, self._may_write)
            write = self._open.get(key)
            if write is None:
                return  # it was refused already
            write.add(request)
        except RefusedError as refusal:
            refused = self._open.pop(key, None)
            if refused:
                refused.stop_timer()
            options = refused.options if refused else request.options
            self._answer(request.correlation_id, options, Response(error=refusal.status))
            return
        if request.is_final:
            del self._open[key]
            write.stop_timer()
            self._submit(request.correlation_id, write)
        elif write.timer is None:
            loop = asyncio.get_running_loop()
            wait = _LONGEST_WAIT_SECONDS
            if write.deadline is not None:
                wait = min(wait, write.deadline - time.monotonic())
            write.timer = loop.call_later(wait, self._give_up, key, request.correlation_id)

    def _give_up(self, key: bytes, correlation_id: shared_pb2.UUID) -> None:
        """The rest of a write did not come in time; what comes now is ignored."""
        now, write = time.monotonic(), self._open[key]
        busy = self._is_reading and now - self._received_at < _QUIET_SECONDS
        if (
            busy
            and now - write.opened_at < _LONGEST_PATIENCE_SECONDS
            and (write.deadline is None or now < write.deadline)
        ):
            loop = asyncio.get_running_loop()
            write.timer = loop.call_later(_QUIET_SECONDS, self._give_up, key, correlation_id)
            return
        options = self._open.pop(key).options
        self._answer(correlation_id, options, Response(error=batch_responses.timeout()))

    def _submit(self, correlation_id: shared_pb2.UUID, write: OpenWrite) -> None:
        options = write.options
        stream = options.stream_identifier.stream_name
        expected = write.expected

        def done(outcome: Outcome) -> None:
            self._in_flight -= 1
            self._answer(correlation_id, options, batch_responses.response(outcome, stream, expected))

        self._in_flight += 1
        self._writer.submit(
            WriteRequest(
                kind=Kind.APPEND,
                stream=stream.decode(errors="replace"),
                expected=expected,
                events=write.events,
                on_done=done,
                deadline=write.deadline,
                size=write.size,
            )
        )

    def _answer(self, correlation_id: shared_pb2.UUID, options: Request.Options, response: Response) -> None:
        response.correlation_id.CopyFrom(correlation_id)
        if options.HasField("stream_identifier"):
            response.stream_identifier.CopyFrom(options.stream_identifier)
        self._outgoing.append(response)
        if not self._is_reading:
            self._answered.set()
        elif self._sender is None:
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        with suppress(grpc.aio.BaseError):  # the client is gone
            while self._outgoing:
                await self._context.write(self._outgoing.popleft())
        self._sender = None

    @property
    def _is_waiting(self) -> bool:
        """Whether there are writes that are to be given up, unless the node stops first."""
        return bool(self._open) and not self._is_stopping

    async def _send_the_rest(self) -> None:
        if self._sender is not None:
            await self._sender
        while self._in_flight or self._is_waiting or self._outgoing:
            while self._outgoing:
                await self._context.write(self._outgoing.popleft())
            self._answered.clear()
            if self._in_flight or self._is_waiting:
                await self._answered.wait()
