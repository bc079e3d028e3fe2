"""What a projection remembers over restarts, as events of two streams of its own: its definition, its checkpoint."""

import json
from dataclasses import dataclass, replace

from embedded.event_store_node.log import internal_writes
from embedded.event_store_node.log.events import ANY, METADATA_TYPE, NO_STREAM, ProposedEvent, metadata_stream_of
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Appended
from embedded.event_store_node.projections import tag
from embedded.event_store_node.projections.definitions import Definition, metadata_object
from embedded.event_store_node.projections.emitter import StorageFailure
from embedded.event_store_node.projections.tag import SUBSYSTEM_VERSION, ProjectionVersion, Tag

_CHECKPOINT_METADATA = (
    b'{"$maxCount":2,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$all","$mw":"$admins"}}'
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Whether the projection runs; `version` is the revision of the event that says so, -1 if there is none."""

    enabled: bool = False
    epoch: int = -1
    version: int = -1


class ProjectionStore:
    """Reads and writes one projection's own streams."""

    def __init__(self, definition: Definition, writer: Writer, reader: Reader) -> None:
        self._definition = definition
        self._writer = writer
        self._reader = reader
        self._settings_stream = f"$projections-{definition.name}"
        self._checkpoint_stream = f"$projections-{definition.name}-checkpoint"

    def settings(self) -> Settings:
        last = self._reader.last_event(self._settings_stream)
        if last is None:
            return Settings()
        document = metadata_object(RecordedEvent.FromString(last.record).data)
        epoch = document.get("epoch")
        return Settings(document.get("enabled") is True, epoch if isinstance(epoch, int) else -1, last.revision)

    async def save_settings(self, enabled: bool, reset: bool = False) -> Settings:
        """
        Remember whether the projection runs and, with `reset`, that it begins anew.

        Raises:
            StorageFailure: it could not be written.
        """
        last = self.settings()
        events = []
        if last.version == NO_STREAM:
            last = Settings(version=0)
            events.append(self._settings_event(last))
        version = last.version + 1
        settings = replace(last, enabled=enabled, version=version, epoch=version if reset else last.epoch)
        events.append(self._settings_event(settings))
        expected = version - len(events)
        outcome = await internal_writes.append(self._writer, self._settings_stream, expected, events)
        if not isinstance(outcome, Appended):
            raise StorageFailure(f"{self._settings_stream} cannot be written: {outcome}")
        return settings

    def checkpoint(self, epoch: int) -> int:
        """The position up to which the log is done with; 0 if there is no checkpoint since the last reset."""
        last = self._reader.last_event(self._checkpoint_stream)
        written = tag.from_metadata(RecordedEvent.FromString(last.record).custom_metadata) if last else None
        return written.position if written and written.projection.version >= epoch else 0

    async def save_checkpoint(self, projection: ProjectionVersion, position: int) -> None:
        """
        Remember that the log is done with up to a position.

        Raises:
            StorageFailure: it could not be written.
        """
        if self._reader.last_event(self._checkpoint_stream) is None:
            event = internal_writes.json_event(METADATA_TYPE, _CHECKPOINT_METADATA)
            await internal_writes.append(self._writer, metadata_stream_of(self._checkpoint_stream), ANY, [event])
        metadata = tag.to_metadata(Tag(projection, position))
        event = internal_writes.json_event("$ProjectionCheckpoint", b"{}", metadata)
        outcome = await internal_writes.append(self._writer, self._checkpoint_stream, ANY, [event])
        if not isinstance(outcome, Appended):
            raise StorageFailure(f"{self._checkpoint_stream} cannot be written: {outcome}")

    def _settings_event(self, settings: Settings) -> ProposedEvent:
        document = {
            "handlerType": self._definition.handler,
            "query": self._definition.query,
            "mode": "Continuous",
            "enabled": settings.enabled,
            "emitEnabled": True,
            "checkpointsDisabled": False,
            "trackEmittedStreams": False,
            "epoch": settings.epoch,
            "version": settings.version,
            "projectionSubsystemVersion": SUBSYSTEM_VERSION,
        }
        return internal_writes.json_event("$ProjectionUpdated", json.dumps(document, indent=2).encode())
