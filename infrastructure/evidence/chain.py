"""The hash chain of a stream: every event that is appended carries a link to the one before it.

A link is made of bytes as they are stored, so after everything that encodes, encrypts or compresses an event.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from infrastructure.event_store import NewEvent, StoredEvent
from infrastructure.evidence.verifier import FIRST_PREVIOUS, Link, link_digest, linked_metadata, split_metadata


def linked(stream: str, head: Link | None, events: Sequence[NewEvent]) -> tuple[list[NewEvent], Link | None]:
    """The events with their links after `head` (None: they begin the chain), and the head after them.

    It is the head of what is appended now: where a store answers with an earlier append of the same ids, only the
    stream knows it.
    """
    chained = []
    for event in events:
        place, previous = (0, FIRST_PREVIOUS) if head is None else (head.place + 1, head.digest)
        head = Link(place, link_digest(previous, place, stream, event.id, event.type, event.data, event.metadata))
        chained.append(replace(event, metadata=linked_metadata(event.metadata, head)))
    return chained, head


def link_of(stored: StoredEvent) -> Link | None:
    """The link that an event carries; None for one that was written without."""
    return split_metadata(stored.metadata)[1]


def head_after(head: Link | None, events: Sequence[StoredEvent]) -> Link | None:
    """The head after these events of the stream: that of the last one that has a link.

    An event without one may come from an older version while a newer one is rolled out: the chain goes on over it.
    """
    for event in reversed(events):
        link = link_of(event)
        if link is not None:
            return link
    return head
