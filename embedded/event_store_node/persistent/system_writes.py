"""Writes that the subscriptions make themselves: checkpoints, parked messages, the configuration."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from embedded.event_store_node.log.events import (
    ANY,
    BINARY_CONTENT_TYPE,
    JSON_CONTENT_TYPE,
    LINK_TYPE,
    METADATA_TYPE,
    ProposedEvent,
    metadata_stream_of,
)
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Kind, Outcome, WriteRequest

OnDone = Callable[[Outcome], None]

_ADMINS = "$admins"


def admins_only(metadata_for_all: bool = False) -> dict[str, str]:
    """An access control list for the subscriptions' own streams."""
    return {"$r": _ADMINS, "$w": _ADMINS, "$d": _ADMINS, "$mr": "$all" if metadata_for_all else _ADMINS, "$mw": _ADMINS}


class SystemWrites:
    """Submits writes at any version; they are committed in the order in which they were submitted."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def json(self, stream: str, type_: str, document: Any, on_done: OnDone) -> None:
        data = json.dumps(document, indent=2, ensure_ascii=False).encode()
        self._submit(stream, ProposedEvent(uuid4().bytes, type_, JSON_CONTENT_TYPE, b"", data), on_done)

    def metadata(self, stream: str, document: dict[str, Any], on_done: OnDone = lambda outcome: None) -> None:
        """Write a stream's metadata, in place of what it was."""
        self.json(metadata_stream_of(stream), METADATA_TYPE, document, on_done)

    def link(self, stream: str, target: str, metadata: dict[str, Any], on_done: OnDone) -> None:
        """Write a link to `target`, given as `revision@stream`."""
        custom = json.dumps(metadata, indent=2, ensure_ascii=False).encode()
        event = ProposedEvent(uuid4().bytes, LINK_TYPE, BINARY_CONTENT_TYPE, custom, target.encode())
        self._submit(stream, event, on_done)

    def delete(self, stream: str) -> None:
        """Delete a stream softly; nothing happens if there is none."""
        self._writer.submit(WriteRequest(Kind.DELETE, stream, ANY, [], on_done=lambda outcome: None))

    def _submit(self, stream: str, event: ProposedEvent, on_done: OnDone) -> None:
        self._writer.submit(WriteRequest(Kind.APPEND, stream, ANY, [event], on_done, size=event.size))


def awaitable() -> tuple["asyncio.Future[Outcome]", OnDone]:
    """A future and the callback that resolves it."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    return future, lambda outcome: None if future.done() else future.set_result(outcome)
