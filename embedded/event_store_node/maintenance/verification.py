"""Whether a log is sound: the file, the records, the order of positions, the revisions of every stream."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from google.protobuf.message import DecodeError

from embedded.event_store_node.log.records import RecordedEvent, uuid_bytes
from embedded.event_store_node.log.system_streams import is_hidden_from_all
from embedded.event_store_node.maintenance.revisions import revision_problems

MAX_PROBLEMS = 100


@dataclass(slots=True)
class Report:
    """What a log holds and what is wrong with it, at most 100 problems, each with its place."""

    events: int = 0
    streams: int = 0
    last_position: int = 0
    problems: list[str] = field(default_factory=list)


def verify(log: sqlite3.Connection) -> Report:
    """Read the whole log. What cannot be read is a problem too, never an exception."""
    report = Report()
    for check in (_file_problems, _stream_problems, revision_problems, _event_problems):
        try:
            report.problems += islice(check(log), MAX_PROBLEMS - len(report.problems))
        except (sqlite3.Error, TypeError, ValueError, AttributeError) as error:
            # In a damaged file, a column may hold anything.
            report.problems.append(f"the log cannot be read to its end: {error}")
    try:
        report.events, report.last_position = log.execute(
            "SELECT count(*), coalesce(max(position), 0) FROM event"
        ).fetchone()
        report.streams = log.execute("SELECT count(*) FROM stream").fetchone()[0]
    except sqlite3.Error:
        pass  # told above
    return report


def _file_problems(log: sqlite3.Connection) -> Iterator[str]:
    for (found,) in log.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})"):
        if found != "ok":
            yield f"the file: {found}"


def _stream_problems(log: sqlite3.Connection) -> Iterator[str]:
    unknown = "SELECT position, stream FROM event WHERE stream NOT IN (SELECT id FROM stream) ORDER BY position"
    for position, stream in log.execute(unknown):
        yield f"position {position}: stream number {stream} has no name"


def _event_problems(log: sqlite3.Connection) -> Iterator[str]:
    rows = log.execute(
        "SELECT e.position, s.name, e.revision, e.id, e.type, e.created, e.in_all, e.record"
        " FROM event e JOIN stream s ON s.id = e.stream ORDER BY e.position"
    )
    last_position = last_created = 0
    for position, stream, revision, id_, type_, created, in_all, record in rows:
        if position <= last_position:
            yield f"position {position}: it follows position {last_position}"
        if created < last_created:
            yield f"position {position}: it is older than the event before it"
        if bool(in_all) == is_hidden_from_all(stream):
            yield f"position {position}: it is {'' if in_all else 'not '}listed in $all"
        last_position, last_created = position, created
        wrong = _wrong_fields(record, position, stream, revision, id_, type_, created)
        if wrong:
            yield f"position {position} (revision {revision} of '{stream}'): {wrong}"


def _wrong_fields(
    record: bytes, position: int, stream: str, revision: int, id_: bytes, type_: str, created: int
) -> str | None:
    """What the record says otherwise than its row does."""
    try:
        event = RecordedEvent.FromString(record)
        found = (
            event.commit_position,
            event.stream_identifier.stream_name,
            event.stream_revision,
            uuid_bytes(event.id),
            event.metadata.get("type"),
            event.metadata.get("created"),
        )
    except (DecodeError, ValueError, TypeError):
        return "the record cannot be decoded"
    names = ("position", "stream", "revision", "id", "type", "time")
    wanted = (position, stream.encode(), revision, id_, type_, str(created))
    wrong = [name for name, one, other in zip(names, found, wanted, strict=True) if one != other]
    return f"the record has another {', '.join(wrong)}" if wrong else None
