"""A snapshot as it is stored: the state after an event, and which event of which stream that was."""

import uuid
from collections.abc import Iterable
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from domain.model.aggregate import Aggregate
from infrastructure.event_store import NewEvent, StoredEvent
from infrastructure.evidence.verifier import Link

log = structlog.get_logger(__name__)

EVENT_TYPE = "AggregateSnapshot"

KEPT_COMMANDS = 256
"""How many of the last commands with an Idempotency-Key a snapshot remembers."""

_encode = msgspec.json.Encoder().encode


class KeptCommand(Struct, frozen=True, omit_defaults=True, gc=False):
    """The result of a command that a client may repeat. `actor` is whose it was, "" where that was not kept."""

    command_id: str
    command_hash: str
    revision: int
    position: int
    actor: str = ""


class _Stored(Struct, frozen=True):
    """What stands in the companion stream. `state` is JSON, of the schema `state_version`; `chain` is the place and the
    digest of the link at the revision, in hexadecimal, where there is one."""

    stream: str
    revision: int
    event_id: str
    position: int
    state_version: int
    state: msgspec.Raw
    commands: tuple[KeptCommand, ...]
    chain: tuple[int, str] | None = None


class Snapshot(Struct, frozen=True):
    """The state of an aggregate after the event `event_id`, which has that revision and commit position, with the last
    commands before it that had a key. `chain` is the link of the stream's chain there."""

    stream: str
    revision: int
    event_id: str
    position: int
    state: Any
    commands: tuple[KeptCommand, ...]
    chain: Link | None = None


_decoder = msgspec.json.Decoder(_Stored)


def new_snapshot(aggregate: Aggregate, snapshot: Snapshot) -> NewEvent:
    """The event to be appended. Raises what the encoding of the state raises."""
    state = msgspec.Raw(_encode(snapshot.state))
    commands = snapshot.commands[-KEPT_COMMANDS:]
    stored = _Stored(
        snapshot.stream,
        snapshot.revision,
        snapshot.event_id,
        snapshot.position,
        aggregate.state_version,
        state,
        commands,
        None if snapshot.chain is None else (snapshot.chain.place, snapshot.chain.digest.hex()),
    )
    return NewEvent(str(uuid.uuid4()), EVENT_TYPE, _encode(stored), b"{}")


def usable(aggregate: Aggregate, stream: str, stored: Iterable[StoredEvent]) -> list[Snapshot]:
    """Those of the snapshots that are of this stream and of today's state, the newest state first.

    One that can't be read or is of another stream is logged and left out.
    """
    found = [_snapshot(aggregate, stream, one) for one in stored]
    return sorted((one for one in found if one is not None), key=lambda one: one.revision, reverse=True)


def _link(place: int, digest: str) -> Link:
    link = Link(place, bytes.fromhex(digest))
    if place < 0 or len(link.digest) != 32:
        raise ValueError("its chain has no such link")
    return link


def _snapshot(aggregate: Aggregate, stream: str, stored: StoredEvent) -> Snapshot | None:
    try:
        read = _decoder.decode(stored.data)
        if read.state_version != aggregate.state_version:
            return None
        state = msgspec.json.decode(read.state, type=aggregate.state)
        chain = None if read.chain is None else _link(*read.chain)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        log.warning(
            "a snapshot that can't be read is ignored",
            stream=stream,
            snapshot=stored.stream,
            event_id=stored.id,
            error=str(error),
        )
        return None
    if stored.type != EVENT_TYPE or read.stream != stream or read.revision < 0:
        log.warning("a foreign snapshot is ignored", stream=stream, snapshot=stored.stream, event_id=stored.id)
        return None
    return Snapshot(stream, read.revision, read.event_id, read.position, state, read.commands, chain)
