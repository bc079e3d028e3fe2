"""The schemas as they were last released, and whether today's break anything that relies on them.

A release keeps every version of every event that was ever released, with an example: the log still has them, and their
consumers may still be there.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from domain.model.event_types import EventTypes, UndecodableEvent, UnknownEventType
from domain.model.process_events import PROCESS_EVENTS
from infrastructure.application import Application
from infrastructure.integration.catalogue import CatalogueEntry, Kind, catalogue
from infrastructure.integration.compatibility import breaks


class InvalidRelease(Exception):
    """The file of the last release can't be read; the message says why."""


class ReleasedEvent(Struct, frozen=True):
    """An event in one version, as it was released."""

    kind: Kind
    name: str
    version: int
    producer: str
    schema: Mapping[str, Any]
    example: Any


class Release(Struct, frozen=True):
    """All events that were ever released; `format` is that of this file."""

    format: int = 1
    events: tuple[ReleasedEvent, ...] = ()

    def by_key(self) -> dict[tuple[str, str, int], ReleasedEvent]:
        """The events by kind, name and version."""
        return {(one.kind, one.name, one.version): one for one in self.events}


def read_release(path: Path) -> Release:
    """The release in a file. Raises InvalidRelease."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Release)
    except OSError as error:
        raise InvalidRelease(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRelease(f"{path}: {error}") from error
    if found.format != 1:
        raise InvalidRelease(f"{path}: format {found.format} is of a newer Eventfold")
    return found


def write_release(release: Release, path: Path) -> None:
    """Replaces the file. Raises OSError."""
    content = msgspec.json.format(msgspec.json.encode(release), indent=1) + b"\n"
    written = path.with_name(path.name + ".new")
    written.write_bytes(content)
    written.replace(path)


def next_release(last: Release, application: Application) -> Release:
    """The last release with what there is now; versions that are no longer written stay in it."""
    events = last.by_key()
    for entry in catalogue(application):
        events[entry.kind, entry.name, entry.version] = _released(entry)
    order = sorted(events.values(), key=lambda one: (one.kind, one.producer, one.name, one.version))
    return Release(events=tuple(order))


def unreleased(last: Release, application: Application) -> list[str]:
    """The events, by their keys in the catalogue, that the release does not have yet."""
    known = last.by_key()
    return [entry.key for entry in catalogue(application) if (entry.kind, entry.name, entry.version) not in known]


def breaking_changes(last: Release, application: Application) -> Iterator[str]:
    """What would break consumers of published events or senders of what is taken, or make what the log has unreadable,
    each in a sentence."""
    entries = {(one.kind, one.name, one.version): one for one in catalogue(application)}
    types = EventTypes(_event_types(application))
    newest = {one.name: one.version for one in entries.values() if one.kind == "domain"}
    for released in last.events:
        what = f"{released.name}.v{released.version}"
        entry = entries.get((released.kind, released.name, released.version))
        if released.kind == "integration":
            if entry is None:
                yield f"{what} is no longer published, and its consumers wait for it"
                continue
            yield from (f"{what}: {one}" for one in breaks(released.schema, entry.schema, "consumers"))
        elif released.kind == "inbound":
            if entry is None:
                yield f"{what} is no longer taken, and other systems send it"
                continue
            # We read what they go on sending by the released schema, as we read what the log has.
            yield from (f"{what}: {one}" for one in breaks(released.schema, entry.schema, "log"))
        elif released.name not in newest:
            yield f"{what} is gone, and the log has events of it"
        elif newest[released.name] < released.version:
            yield f"{what} is newer than version {newest[released.name]} of this code, and the log has events of it"
        elif entry is not None:
            yield from (f"{what}: {one}" for one in breaks(released.schema, entry.schema, "log"))
        else:
            yield from _upcasting_faults(what, released, types)


def _upcasting_faults(what: str, released: ReleasedEvent, types: EventTypes) -> Iterator[str]:
    """Whether the example of an older version still becomes an event of today."""
    try:
        types.decode(released.name, released.version, msgspec.json.encode(released.example))
    except (UndecodableEvent, UnknownEventType) as error:
        yield f"{what}: what the log has of it can't be read any more: {error}"


def _event_types(application: Application) -> Sequence[Any]:
    return [
        *(event for aggregate in application.aggregates for event in aggregate.events),
        *(event for process in application.processes for event in process.events),
        *(PROCESS_EVENTS if application.processes else ()),
    ]


def _released(entry: CatalogueEntry) -> ReleasedEvent:
    return ReleasedEvent(
        entry.kind, entry.name, entry.version, entry.producer, entry.schema, msgspec.json.decode(Raw(entry.example))
    )
