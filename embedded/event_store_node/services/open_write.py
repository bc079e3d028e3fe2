"""A write of a batch append call, put together from its requests until the last one has come."""

import asyncio
import time
from dataclasses import dataclass, field

from esdbclient.protos.Grpc import status_pb2, streams_pb2

from embedded.event_store_node.log.events import ANY, NO_STREAM, STREAM_EXISTS, ProposedEvent, is_no_stream
from embedded.event_store_node.protocol.errors import MAX_APPEND_SIZE
from embedded.event_store_node.security.permission import MayWrite
from embedded.event_store_node.services import batch_responses
from embedded.event_store_node.services.proposals import BadProposalError, check_stream_name, proposed_event

Request = streams_pb2.BatchAppendReq

# Longer deadlines (the clients' "none" is 10,000 years) are none.
_LONGEST_DEADLINE = 10 * 365 * 86400


class RefusedError(Exception):
    """The write is not to be made; `status` tells the client why."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


@dataclass(slots=True)
class OpenWrite:
    """A write of which more requests may follow, until `timer` gives it up."""

    options: Request.Options
    deadline: float | None
    opened_at: float
    timer: asyncio.TimerHandle | None = None
    events: list[ProposedEvent] = field(default_factory=list)
    size: int = 0

    @property
    def expected(self) -> int:
        """The version that the client expects the stream to have."""
        match self.options.WhichOneof("expected_stream_position"):
            case "no_stream":
                return NO_STREAM
            case "stream_exists":
                return STREAM_EXISTS
            case "any":
                return ANY
            case _:
                return self.options.stream_position

    def add(self, request: Request) -> None:
        """
        Take the events of one more request.

        Raises:
            RefusedError: they cannot be written, or are too much for one write.
        """
        for proposal in request.proposed_messages:
            try:
                event = proposed_event(proposal)
            except BadProposalError as error:
                raise RefusedError(batch_responses.bad_request(str(error))) from None
            self.size += event.size
            self.events.append(event)
        if self.size > MAX_APPEND_SIZE:
            raise RefusedError(batch_responses.maximum_append_size_exceeded())

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


def open_write(options: Request.Options, may_write: MayWrite) -> OpenWrite:
    """
    The write that the first of its requests describes.

    Raises:
        RefusedError: something is missing, or the caller may not write to the stream, or its deadline is over.
    """
    stream = options.stream_identifier.stream_name.decode(errors="replace")
    if is_no_stream(stream):
        raise RefusedError(batch_responses.bad_request("Required field StreamIdentifier not set."))
    try:
        check_stream_name(stream)
    except BadProposalError as error:
        raise RefusedError(batch_responses.bad_request(str(error))) from None
    if not may_write(stream):
        raise RefusedError(batch_responses.access_denied())
    if options.WhichOneof("expected_stream_position") is None:
        raise RefusedError(batch_responses.bad_request("Required field ExpectedStreamPosition not set."))
    return OpenWrite(options, _deadline(options), time.monotonic())


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
        raise RefusedError(batch_responses.timeout())
    return time.monotonic() + seconds if seconds < _LONGEST_DEADLINE else None
