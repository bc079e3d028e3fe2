"""The store's edge: a view's documents between the fold's Structs and the read store's fields."""

import msgspec

from infrastructure.read_store import StoredDocument, Write
from projector.folding.document_cache import ABSENT, CachedDocument
from read_models.model.view import View
from subscriptions.errors import ConsumerBroken


def cached_from(view: View, collection: str, key: str, stored: StoredDocument | None) -> CachedDocument:
    """What the store's answer says of a document.

    Raises ConsumerBroken when what is stored is not the view's document: its shape changed, but not its version.
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

    Where the fold came to nothing a tombstone is written, even if nothing was there: it keeps late writers out.
    """
    fields = None if cached.document is None else msgspec.to_builtins(cached.document)
    return Write(key, cached.position, fields, new=cached.new)
