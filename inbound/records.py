"""The record of a dead letter: of which message it is, why that was set aside, and the fingerprint of the failure."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from inbound.reading import Arrival, Unusable
from inbound.sources import Source
from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure, failure_told
from infrastructure.dead_letters.groups import GroupedRecord
from infrastructure.dead_letters.marks import Marks
from infrastructure.dead_letters.masking import texts_in_json
from infrastructure.integration.received_event import attributes_of
from subscriptions.parking.parked_events import readable

_LONGEST_TEXT = 2_000


class Origin(Struct, frozen=True):
    """Where a message is from; `queue_partition` and `queue_offset` are -1 for none. `received_at` is when it was sent,
    in epoch milliseconds; `size` is in bytes."""

    event_source: str
    event_id: str
    event_type: str
    queue: str
    queue_partition: int
    queue_offset: int
    received_at: int
    size: int


class DeadLetterRecord(Marks, frozen=True):
    """`number` orders those of one key, `position` all of them (microseconds, with two bits more). `first` is 1 for one
    that failed itself, 0 for one behind such, which has the fingerprint of that one. `has_body` is 0 where the body is
    too large to be kept. `parked_at` is when it was set aside, in epoch milliseconds. `event_type` is as in the origin,
    where groups look for it; missing, as the fingerprint is, in a record of a release without groups."""

    consumer: str
    identity: str
    key: str
    number: int
    position: int
    first: int
    error_class: str
    error_code: str
    error: str
    origin: Origin
    parked_at: int
    attempts: int
    has_body: int
    event_type: str = ""

    @property
    def cause(self) -> Failure:
        """Why it is set aside; found by the text where no fingerprint is recorded."""
        text = f"{self.error_class}: {self.error}"
        if self.fingerprint:
            return Failure(text, self.place, self.message, self.fingerprint)
        named = (self.key, self.identity, self.origin.event_id, self.origin.event_source)
        return failure_told(text, self.origin.event_type, named)

    @property
    def name(self) -> str:
        """What an error calls it by."""
        return self.origin.event_id or self.identity


INDEXES = (
    ("position",),
    ("consumer", "position"),
    ("consumer", "key", "number"),
    ("consumer", "key", "position"),
    ("consumer", "fault", "position"),
    ("consumer", "fault", "parked_at"),
    ("consumer", "fault", "first", "position"),
)


def dead_letter(
    source: Source,
    arrival: Arrival,
    failure: Unusable,
    leading: DeadLetterRecord | None = None,
    *,
    number: int,
    attempts: int,
) -> DeadLetterRecord:
    """The record of a message that is set aside: behind `leading`, where there is that."""
    message, event = arrival.message, arrival.event
    event_type = readable(event.type) if event else ""
    cause = failure_of_message(arrival, failure) if leading is None else leading.cause
    return DeadLetterRecord(
        consumer=source.consumer,
        identity=arrival.id,
        key=readable(arrival.key),
        number=number,
        position=(time.time_ns() // 1_000) * 4 + (int(arrival.id[:2], 16) & 3),
        first=int(failure.error_class != "behind"),
        error_class=failure.error_class,
        error_code=readable(failure.code)[:_LONGEST_TEXT],
        error=readable(str(failure))[:_LONGEST_TEXT],
        origin=Origin(
            event_source=readable(event.source) if event else "",
            event_id=readable(event.id) if event else "",
            event_type=event_type,
            queue=message.queue,
            queue_partition=message.partition,
            queue_offset=message.offset,
            received_at=message.at,
            size=len(message.body),
        ),
        parked_at=now_millis(),
        attempts=attempts,
        has_body=int(failure.error_class != "too-large"),
        event_type=event_type or "-",
        **_marks(cause),
    )


def failure_of_message(arrival: Arrival, failure: Unusable) -> Failure:
    """The failure with its fingerprint. It follows from what the inbox keeps, so that a process that goes on with what
    another has begun finds the same."""
    text = f"{failure.error_class}: {readable(str(failure))[:_LONGEST_TEXT]}"
    kind = readable(arrival.event.type) if arrival.event else ""
    return failure_told(text, kind, _values(arrival, failure), place=failure.place)


def failed_again(record: DeadLetterRecord, failure: Unusable, cause: Failure) -> DeadLetterRecord:
    """The record after a retry that failed, whether as before or otherwise."""
    return msgspec.structs.replace(
        record,
        first=1,
        error_class=failure.error_class,
        error_code=readable(failure.code)[:_LONGEST_TEXT],
        error=readable(str(failure))[:_LONGEST_TEXT],
        attempts=record.attempts + 1,
        event_type=record.origin.event_type or "-",
        retries=record.retries + 1,
        retried_at=now_millis(),
        **_marks(cause),
    )


def behind(record: DeadLetterRecord, cause: Failure) -> DeadLetterRecord:
    """The record of what stands behind another that has failed with this cause."""
    return msgspec.structs.replace(record, event_type=record.origin.event_type or "-", **_marks(cause))


def grouped(record: DeadLetterRecord, cause: Failure) -> GroupedRecord:
    """What a group is made of, where the record itself has no fingerprint."""
    return GroupedRecord(
        fault=cause.fault,
        fingerprint=cause.fingerprint,
        first=record.first,
        position=record.position,
        parked_at=record.parked_at,
        event_type=record.origin.event_type or "-",
        message=cause.message,
        place=cause.place,
    )


def _marks(cause: Failure) -> Mapping[str, Any]:
    return {
        "fingerprint": cause.fingerprint,
        "fault": cause.fault,
        "place": cause.place,
        "message": readable(cause.message),
    }


def _values(arrival: Arrival, failure: Unusable) -> Iterator[str]:
    """What the message may name of this one alone."""
    said = attributes_of(arrival.message.headers)
    yield from (arrival.key, arrival.id, *(said.get(name, "") for name in ("id", "source", "subject", "partitionkey")))
    if arrival.event is not None:
        yield from (arrival.event.id, arrival.event.source, arrival.event.subject)
        yield from texts_in_json(bytes(arrival.event.data))
    elif failure.error_class != "too-large":
        yield from texts_in_json(arrival.message.body)
