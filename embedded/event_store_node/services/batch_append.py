"""One BatchAppend call: many writes, told apart by correlation ids, each answered when it is durable."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import grpc.aio
from esdbclient.protos.Grpc import shared_pb2, status_pb2, streams_pb2
from google.protobuf import empty_pb2

from embedded.event_store_node.log.events import ANY, NO_STREAM, STREAM_EXISTS, ProposedEvent, is_no_stream
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import (
    Appended,
    DeadlinePassed,
    Failed,
    Kind,
    Outcome,
    StreamDeleted,
    WriteRequest,
    WrongVersion,
)
from embedded.event_store_node.protocol import errors
from embedded.event_store_node.security.permission import MayWrite, may_write
from embedded.event_store_node.services.proposals import BadProposalError, proposed_event

Request = streams_pb2.BatchAppendReq
Response = streams_pb2.BatchAppendResp
Context = grpc.aio.ServicerContext[Request, Response]

# Longer deadlines (the clients' "none" is 10,000 years) are none.
_LONGEST_DEADLINE = 10 * 365 * 86400
# However long its deadline is, a write whose parts do not all come within this time is given up.
_LONGEST_WAIT_SECONDS = 2.0
# While other requests of the call still come this close together, those parts may stand behind them, sent in time.
_QUIET_SECONDS = 0.25
_LONGEST_PATIENCE_SECONDS = 20.0
# A client that does not take its answers is not read from any more.
_MAX_UNSENT_ANSWERS = 1024


@dataclass(slots=True)
class _OpenWrite:
    """A write of which more requests may follow, until `timer` gives it up."""

    options: Request.Options
    deadline: float | None
    opened_at: float
    timer: asyncio.TimerHandle | None = None
    events: list[ProposedEvent] = field(default_factory=list)
    size: int = 0


class BatchAppendCall:
    """
    Serves one call. Requests are read on without waiting for writes; answers are sent in the order of the
    commits. A client that goes away before its answer has no effect on what is written.
    """

    def __init__(self, writer: Writer, context: Context) -> None:
        self._writer = writer
        self._context = context
        self._may_write = may_write.get()
        self._open: dict[bytes, _OpenWrite] = {}
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
                _no_longer_timed(write)
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
                self._open[key] = _open_write(request.options, self._may_write)
            write = self._open.get(key)
            if write is None:
                return  # it was refused already
            _add_events(write, request)
        except _RefusedError as refusal:
            refused = self._open.pop(key, None)
            if refused:
                _no_longer_timed(refused)
            options = refused.options if refused else request.options
            self._answer(request.correlation_id, options, Response(error=refusal.status))
            return
        if request.is_final:
            del self._open[key]
            _no_longer_timed(write)
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
        self._answer(correlation_id, options, Response(error=errors.timeout_status()))

    def _submit(self, correlation_id: shared_pb2.UUID, write: _OpenWrite) -> None:
        options = write.options
        stream = options.stream_identifier.stream_name
        expected = _expected(options)

        def done(outcome: Outcome) -> None:
            self._in_flight -= 1
            self._answer(correlation_id, options, _result(outcome, stream, expected))

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


class _RefusedError(Exception):
    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


def _no_longer_timed(write: _OpenWrite) -> None:
    if write.timer is not None:
        write.timer.cancel()


def _open_write(options: Request.Options, may_write: MayWrite) -> _OpenWrite:
    if is_no_stream(options.stream_identifier.stream_name.decode(errors="replace")):
        raise _RefusedError(errors.bad_request_status("Required field StreamIdentifier not set."))
    if not may_write(options.stream_identifier.stream_name.decode(errors="replace")):
        raise _RefusedError(errors.access_denied_status())
    if options.WhichOneof("expected_stream_position") is None:
        raise _RefusedError(errors.bad_request_status("Required field ExpectedStreamPosition not set."))
    return _OpenWrite(options, _deadline(options), time.monotonic())


def _deadline(options: Request.Options) -> float | None:
    match options.WhichOneof("deadline_option"):
        case "deadline":
            seconds = options.deadline.seconds + options.deadline.nanos / 1e9
        case "deadline_21_10_0":
            timestamp = options.deadline_21_10_0
            seconds = timestamp.seconds + timestamp.nanos / 1e9 - time.time()
        case _:
            return None
    if seconds <= 0:
        raise _RefusedError(errors.timeout_status())
    return time.monotonic() + seconds if seconds < _LONGEST_DEADLINE else None


def _add_events(write: _OpenWrite, request: Request) -> None:
    for proposal in request.proposed_messages:
        try:
            event = proposed_event(proposal)
        except BadProposalError as error:
            raise _RefusedError(errors.bad_request_status(str(error))) from None
        write.size += event.size
        write.events.append(event)
    if write.size > errors.MAX_APPEND_SIZE:
        raise _RefusedError(errors.maximum_append_size_exceeded_status())


def _expected(options: Request.Options) -> int:
    match options.WhichOneof("expected_stream_position"):
        case "no_stream":
            return NO_STREAM
        case "stream_exists":
            return STREAM_EXISTS
        case "any":
            return ANY
        case _:
            return options.stream_position


def _result(outcome: Outcome, stream: bytes, expected: int) -> Response:
    match outcome:
        case Appended(revision, position):
            at = shared_pb2.AllStreamPosition(commit_position=position, prepare_position=position)
            if revision < 0:
                return Response(success=Response.Success(no_stream=empty_pb2.Empty(), position=at))
            return Response(success=Response.Success(current_revision=revision, position=at))
        case WrongVersion(current):
            return Response(error=errors.wrong_expected_version_status(expected, current))
        case StreamDeleted():
            return Response(error=errors.stream_deleted_status(stream))
        case DeadlinePassed():
            return Response(error=errors.timeout_status())
        case Failed(reason):
            return Response(error=errors.unknown_status(reason))
