"""Checkpoint tags: the metadata that says which projection wrote an event, and how far in the log it was then."""

from typing import Any, NamedTuple

from embedded.event_store_node.log.metadata import json_bytes
from embedded.event_store_node.projections.definitions import metadata_object

# What the projections call the version of their own format.
SUBSYSTEM_VERSION = 4


class ProjectionVersion(NamedTuple):
    """
    The projection by number, and its definition's version: it rises with each change of the definition. What
    was written at versions below `epoch` was written before the last reset, and does not count any more.
    """

    number: int
    epoch: int
    version: int


class Tag(NamedTuple):
    """Written by this version of a projection, for the event at this position of the log."""

    projection: ProjectionVersion
    position: int


def to_metadata(tag: Tag, extra: dict[str, Any] | None = None) -> bytes:
    """Event metadata with the tag, followed by `extra`."""
    number, epoch, version = tag.projection
    document = {"$v": f"{number}:{epoch}:{version}:{SUBSYSTEM_VERSION}", "$c": tag.position, "$p": tag.position}
    return json_bytes(document | (extra or {}))


def from_metadata(data: bytes) -> Tag | None:
    """The tag in an event's metadata; None if no projection wrote it."""
    document = metadata_object(data)
    position = document.get("$p")
    try:
        number, epoch, version, *_ = (int(part) for part in str(document.get("$v")).split(":"))
    except ValueError:
        return None
    if not isinstance(position, int):
        return None
    return Tag(ProjectionVersion(number, epoch, version), position)
