"""The store's edge: a view's documents between the fold's Structs and the read store's fields."""

import msgspec

from infrastructure.read_store import StoredDocument, Write
from projector.errors import ViewBroken
from projector.folding.document_cache import ABSENT, Known
from read_models.model.view import View


def known_from(view: View, key: str, held: StoredDocument | None) -> Known:
    """What the store's answer says of a document.

    Raises ViewBroken when what is stored is not the view's document: its shape changed, but not its version.
    """
    if held is None:
        return ABSENT
    if held.fields is None:
        return Known(held.position, None)
    try:
        return Known(held.position, msgspec.convert(held.fields, view.document))
    except msgspec.ValidationError as error:
        raise ViewBroken(f"document {key} of {view.collection} can't be read: {error}") from error


def write_of(key: str, known: Known) -> Write:
    """The guarded write that brings the store up to `known`.

    Where the fold came to nothing a tombstone is written, even if nothing was there: it keeps late writers out.
    """
    fields = None if known.document is None else msgspec.to_builtins(known.document)
    return Write(key, known.position, fields, new=known.new)
