"""What becomes of one message: known already, behind a dead letter, carried out, or set aside; stored, then said."""

import asyncio
import time
from collections.abc import Callable, Iterator

import msgspec
import structlog
from opentelemetry.trace import SpanKind

from inbound import metrics
from inbound.carrying_out import CarriesOut
from inbound.dead_letters import DeadLetterStore
from inbound.gates import Gates
from inbound.inbox import Inbox, InboxEntry, Overtaken
from inbound.notices import notice_of
from inbound.reading import Arrival, Reader, Unusable
from inbound.records import dead_letter
from inbound.sources import Source
from infrastructure.inbound.messages import DeadLetterWriter, IncomingMessage
from infrastructure.outside.http_client import UnusableResponse
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable, backoff
from infrastructure.telemetry.spans import ERROR_TYPE, begin_span, note
from infrastructure.telemetry.trace_context import context_from
from subscriptions.attempts import Attempts, Stuck
from subscriptions.parking.parked_events import readable

log = structlog.get_logger(__name__)

AWAY = (DependencyUnavailable, ReadStoreUnavailable, ReadStoreRefused, UnusableResponse, Overtaken)
"""What says nothing of a message: it waits, and is tried again."""
Delays = Callable[[], Iterator[float]]


class Handler:
    """Of one source in one process."""

    def __init__(
        self,
        source: Source,
        reader: Reader,
        inbox: Inbox,
        gates: Gates,
        dead_letters: DeadLetterStore,
        commands: CarriesOut,
        writer: DeadLetterWriter,
        *,
        delays: Delays = backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._reader = reader
        self._inbox = inbox
        self._gates = gates
        self._dead_letters = dead_letters
        self._commands = commands
        self._writer = writer
        self._delays = delays
        self._attempts = Attempts(patience=source.limits.patience, clock=clock)
        self._places = asyncio.Semaphore(source.limits.concurrency)
        self.trouble: str | None = None

    def lane_of(self, message: IncomingMessage) -> str:
        """Messages of one lane must be handled one after another."""
        return self._reader.arrival(message).lane

    async def handle(self, message: IncomingMessage, released: asyncio.Event) -> bool:
        """Whether what came of the message is stored, so that it may be acknowledged. False once `released` is set:
        then it is for whoever gets it next. Never raises, but is tried until then."""
        metrics.RECEIVED.labels(self._source.consumer).inc()
        began, delays, number = time.perf_counter(), self._delays(), 0
        arrival = self._reader.arrival(message)
        structlog.contextvars.bind_contextvars(
            consumer=self._source.consumer, message_id=arrival.id, correlation_id=correlation_of(arrival)
        )
        while not released.is_set():
            number += 1
            try:
                async with self._places:
                    if released.is_set():
                        return False
                    outcome = await self._traced(arrival, number)
            except AWAY as error:
                metrics.WAITS.labels(self._source.consumer).inc()
                if self.trouble is None:
                    log.warning("messages wait: something is away", error=str(error))
                self.trouble = str(error)
            except Exception as error:
                log.exception("a message could not be handled; it is tried again")
                self.trouble = f"{type(error).__name__}: {error}"
            else:
                self.trouble = None
                metrics.MESSAGES.labels(self._source.consumer, outcome).inc()
                metrics.SECONDS.labels(self._source.consumer).observe(time.perf_counter() - began)
                return True
            await _pause(next(delays), released)
        return False

    async def _traced(self, arrival: Arrival, number: int) -> str:
        event = arrival.event
        traceparent = [event.traceparent] if event and event.traceparent else []
        parent = context_from(traceparent, [event.tracestate] if event and event.tracestate else []) if event else None
        attributes = {
            "messaging.system": self._source.kind,
            "messaging.operation.type": "process",
            "messaging.destination.name": arrival.message.queue,
            "messaging.message.id": event.id if event else arrival.id,
            "eventfold.message.type": event.type if event else "",
        }
        with begin_span(f"process {self._source.consumer}", SpanKind.CONSUMER, attributes, parent=parent):
            return await self._attempt(arrival, number)

    async def _attempt(self, arrival: Arrival, number: int) -> str:
        if arrival.event is not None and self._source.ignores(arrival.event.type):
            return "ignored"
        found, gate = await asyncio.gather(
            self._inbox.find(arrival.id), self._gates.find(self._source.name, readable(arrival.key))
        )
        if found is not None and found.is_done:
            return "duplicate"
        entry = found or entry_of(self._source, arrival)
        if entry.state == "setting_aside":
            # A process ended here between two steps: the message is what it was to become.
            failure = Unusable(entry.error_class, entry.reason, entry.error_code, entry.place)  # type: ignore[arg-type]
            return await self._set_aside(arrival, entry, failure, number)
        if gate.shut and self._waits(arrival):
            if await self._dead_letters.leading(self._source.consumer, readable(arrival.key)) is not None:
                failure = Unusable("behind", "an earlier message of its key is a dead letter")
                return await self._set_aside(arrival, entry, failure, number)
            # Nothing stands before it: a process ended before its dead letter was stored, or after the last was gone.
            if not await self._gates.change(gate, shut=False):
                raise Overtaken("its key has changed")
        try:
            entry = await carried_out(self._reader, self._commands, arrival, entry)
        except Unusable as failure:
            return await self._set_aside(arrival, entry, failure, number)
        except DependencyUnavailable as error:
            if not error.alone:
                raise  # it is away, which says nothing of the message
            try:
                self._attempts.failed(arrival.id, error)
            except Stuck as stuck:
                return await self._set_aside(arrival, entry, Unusable("no-answer", str(stuck)), number)
            raise
        await self._inbox.record(msgspec.structs.replace(entry, state="handled"))
        self._attempts.done(arrival.id)
        return "handled"

    def _waits(self, arrival: Arrival) -> bool:
        return self._source.behind == "wait" and bool(arrival.key)

    async def _set_aside(self, arrival: Arrival, entry: InboxEntry, failure: Unusable, attempts: int) -> str:
        """Each step may be repeated. The broker has the dead letter before the message is acknowledged."""
        first = failure.error_class != "behind"
        # What stands in the inbox is the newest there is of the choices that were made.
        stored = await self._inbox.find(arrival.id) or entry
        if stored.is_done:
            return "duplicate"
        entry = msgspec.structs.replace(
            stored,
            state="setting_aside",
            error_class=failure.error_class,
            error_code=readable(failure.code),
            reason=readable(str(failure)),
            place=failure.place,
        )
        await self._inbox.record(entry)
        key = readable(arrival.key)
        number = await self._gates.shut(self._source.name, key) if self._waits(arrival) else time.time_ns() // 1_000
        # What stands behind another has the fingerprint of that one, for it will be handled with it.
        leading = None if first else await self._dead_letters.leading(self._source.consumer, key)
        record = dead_letter(self._source, arrival, failure, leading, number=number, attempts=attempts)
        await self._dead_letters.put(record, arrival.message)
        await self._writer.write(arrival.message, notice_of(record))
        await self._inbox.record(msgspec.structs.replace(entry, state="dead_letter"))
        self._attempts.done(arrival.id, by_the_dependency=False)
        metrics.FAILURES.labels(self._source.consumer, failure.error_class).inc()
        note({ERROR_TYPE: failure.error_class})
        log.warning(
            "a message was set aside",
            error=str(failure),
            error_class=failure.error_class,
            fingerprint=record.fingerprint,
            place=arrival.message.place,
            message_type=arrival.event.type[:200] if arrival.event else None,
        )
        return "set_aside" if first else "behind"


async def carried_out(reader: Reader, commands: CarriesOut, arrival: Arrival, entry: InboxEntry) -> InboxEntry:
    """The entry once all that the message becomes is done. Raises Unusable, and what stands for something away."""
    return await commands.carry_out(entry, reader.commands(arrival), correlation_of(arrival))


def entry_of(source: Source, arrival: Arrival) -> InboxEntry:
    """What is stored of a message of which nothing is known yet."""
    event = arrival.event
    return InboxEntry(
        source.name,
        arrival.id,
        "handling",
        event_source=readable(event.source) if event else "",
        event_id=readable(event.id) if event else "",
        event_type=readable(event.type) if event else "",
        key=readable(arrival.key),
    )


def correlation_of(arrival: Arrival) -> str:
    """The correlation id that goes with its commands: the sender's, else the event's own id, where they may be one."""
    event = arrival.event
    for said in (event.correlationid, event.id) if event else ():
        if 0 < len(said) <= 128 and said.isascii() and said.isprintable() and " " not in said:
            return said
    return arrival.id


async def _pause(seconds: float, released: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await released.wait()
    except TimeoutError:
        return
