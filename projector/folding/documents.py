"""A view's documents, translated between the fold's Structs and the read store's fields."""

import msgspec

from infrastructure.read_store import StoredDocument, Write
from projector.folding.document_cache import ABSENT, CachedDocument
from read_models.model.view import View
from subscriptions.errors import ConsumerBroken


def cached_from(view: View, collection: str, key: str, stored: StoredDocument | None) -> CachedDocument:
    """A document as the store has it.

    Raises ConsumerBroken when what is stored is not the view's document: its fields changed, but not its version.
    """
    if stored is None:
        return ABSENT
    if stored.fields is None:
        return CachedDocument(stored.position, None)
    try:
        return CachedDocument(stored.position, msgspec.convert(stored.fields, view.document))
    except msgspec.ValidationError as error:
        raise ConsumerBroken(f"document {key} of {collection} can't be read: {error}") from error


def write_of(key: str, cached: CachedDocument) -> Write:
    """The guarded write that brings the store up to `cached`.

    Where the fold has no result a tombstone is written, even if there was no document: it refuses late writers.
    """
    fields = None if cached.document is None else msgspec.to_builtins(cached.document)
    return Write(key, cached.position, fields, new=cached.new)
