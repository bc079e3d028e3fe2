"""How a view's documents are shown to clients, where that differs from how they are stored."""

from msgspec import Struct


class PublicFields(Struct, frozen=True):
    """Field names are those of the stored documents.

    Fields that hold epoch milliseconds are shown as RFC 3339 times: those in `times`, or those named `*_at` when that
    is None, then also in the Structs, and lists of them, that a document holds. Integers yyyymmdd in `dates` are shown
    as ISO dates. Fields in `left_out` are not shown, those in `renamed` (pairs of stored and shown name) under another
    name; everything else as it stands.
    """

    times: tuple[str, ...] | None = None
    dates: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
