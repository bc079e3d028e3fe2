"""Documents as the read store stores them: `_id`, `_position`, and the view's own fields."""

from typing import Any

from msgspec import Struct

ID = "_id"
POSITION = "_position"
DELETED = "_deleted"


class StoredDocument(Struct, frozen=True, gc=False):
    """A document read back: the position of the last event folded into it, and its fields (None: it was deleted)."""

    position: int
    fields: dict[str, Any] | None


class Write(Struct, frozen=True, gc=False):
    """A document to be written: its key, the position of the last event folded into it, its fields (None: delete).

    `new` says that the writer read the store and found no document, so that an insert is enough.
    """

    key: str
    position: int
    fields: dict[str, Any] | None
    new: bool = False


def stored(write: Write) -> dict[str, Any]:
    """The whole document to be stored. A deleted one stays as a tombstone, so that its position still guards it."""
    if write.fields is None:
        return {ID: write.key, POSITION: write.position, DELETED: 1}
    return {ID: write.key, POSITION: write.position, **write.fields}


def read_back(document: dict[str, Any]) -> tuple[str, StoredDocument]:
    """The document's key and content. `document` is changed, so the caller must not use it afterwards."""
    key, position = document.pop(ID), document.pop(POSITION)
    return key, StoredDocument(position, None if DELETED in document else document)
