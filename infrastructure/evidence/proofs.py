"""Exports the events of a stream as a proof that stands alone: see verifier.py, which checks it."""

import base64
from collections.abc import Sequence
from typing import Any

from infrastructure.event_store import StoredEvent
from infrastructure.evidence.entries import entry_of
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verifier import PROOF_FORMAT, VerifierKey


class NotCovered(Exception):
    """The checkpoint is older than the stream's newest event."""


class NotInTree(Exception):
    """The tree has another event in the place of one of the stream's, or none."""


def proof_of(events: Sequence[StoredEvent], tree: Tree, note: str, key: VerifierKey) -> dict[str, Any]:
    """The proof that the stream's events, as they are stored, are in the log whose signed checkpoint `note` is and
    whose tree `tree` is. Raises NotCovered, NotInTree, NotProven."""
    return {
        "format": PROOF_FORMAT,
        "verifier_key": key.encode(),
        "checkpoint": note,
        "stream": events[0].stream,
        "events": [_proven(event, tree) for event in events],
    }


def _proven(event: StoredEvent, tree: Tree) -> dict[str, Any]:
    leaf = tree.leaf_at(event.position)
    if leaf == tree.size:
        raise NotCovered(f"revision {event.revision} of {event.stream} is newer than the checkpoint")
    if tree.entry(leaf) != entry_of(event):
        raise NotInTree(f"revision {event.revision} of {event.stream} is not the event that the tree has there")
    path = [base64.b64encode(step).decode() for step in tree.path(leaf)]
    return {**event_as_stored(event), "leaf": leaf, "path": path}


def event_as_stored(event: StoredEvent) -> dict[str, Any]:
    """An event as proofs have it, without its proof."""
    return {
        "revision": event.revision,
        "position": event.position,
        "id": event.id,
        "type": event.type,
        "recorded_at": event.recorded_at,
        "data": _text(event.data),
        "metadata": _text(event.metadata),
    }


def _text(content: bytes) -> Any:
    """As text where it is UTF-8, so that people can read it; its bytes are the same."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
