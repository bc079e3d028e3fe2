"""What stands behind our document in a signed one: whether that adds a signature, and nothing else that is seen.

A PDF is changed by writing objects behind it, and a signature covers what was added before it too: it holds upon
another first page as well as upon ours.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

_MAY_CHANGE = frozenset({"/AcroForm", "/DSS", "/Extensions", "/Metadata", "/MarkInfo", "/Version"})
"""Of the catalog: where signatures and what proves them are, and nothing that a page shows."""


class Rewritten(Exception):
    """Something of our document is another now; the message says what."""


def check_additions(original: bytes, signed: bytes) -> None:
    """`signed` begins with `original`. Raises Rewritten, and ValueError for what is no PDF."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        base = PdfFileReader(BytesIO(original)).xrefs.total_revisions - 1
        reader = PdfFileReader(BytesIO(signed))
        _check(reader, base)
    except (PdfError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"it can't be told what was added: {error}") from error


def _check(reader: Any, base: int) -> None:
    old = reader.get_historical_resolver(base)
    known = {_name(ref) for revision in range(base + 1) for ref in reader.xrefs.explicit_refs_in_revision(revision)}
    changed = {
        _name(ref): ref
        for revision in range(base + 1, reader.xrefs.total_revisions)
        for ref in reader.xrefs.explicit_refs_in_revision(revision)
    }
    pages, lists = {}, set()
    for page in _pages(old.root["/Pages"]):
        pages[_name(page.container_ref)] = page
        annotations: Any = page.raw_get("/Annots") if "/Annots" in page else None
        if hasattr(annotations, "reference"):  # an indirect one
            lists.add(_name(annotations.reference))
    root, about = _name(reader.root_ref), _about(old, old.trailer_view)
    if _name(old.root_ref) != root:
        raise Rewritten("it has another catalog")
    for name, ref in changed.items():
        now = reader.get_object(ref)
        if name == root:
            _require_same(old.root, now, _MAY_CHANGE, "the catalog")
        elif name in pages:
            _require_same(pages[name], now, frozenset({"/Annots"}), f"page object {name[0]}")
        elif name in known and name not in about | lists:
            raise Rewritten(f"object {name[0]} of our document was written anew")
    _check_annotations(pages, reader)


def _check_annotations(pages: dict[tuple[int, int], Any], reader: Any) -> None:
    """What was added upon pages: fields for signatures alone; what was there is there still."""
    now = list(_pages(reader.root["/Pages"]))
    if len(now) != len(pages):
        raise Rewritten(f"it has {len(now)} pages, and ours {len(pages)}")
    for before, after in zip(pages.values(), now, strict=True):
        had, has = (one.get("/Annots", []) for one in (before, after))
        if list(has)[: len(had)] != list(had):  # each is a reference, and what it leads to was not written anew
            raise Rewritten("what was upon a page was changed")
        for added in list(_items(has))[len(had) :]:
            if added.get("/Subtype") != "/Widget" or added.get("/FT") != "/Sig":
                raise Rewritten("something was laid upon a page that is no field for a signature")


def _require_same(old: Any, new: Any, but_for: frozenset[str], what: str) -> None:
    keys = {key for one in (old, new) for key in one if key not in but_for}
    for key in sorted(keys):
        if key not in old or key not in new or old.raw_get(key) != new.raw_get(key):
            raise Rewritten(f"{what} was changed: {key}")


def _pages(node: Any) -> Iterator[Any]:
    for kid in _items(node["/Kids"]):
        if kid.get("/Type") == "/Pages":
            yield from _pages(kid)
        else:
            yield kid


def _items(array: Any) -> Iterator[Any]:
    """What its references lead to."""
    return (array[place] for place in range(len(array)))


def _about(old: Any, trailer: Any) -> set[tuple[int, int]]:
    """The objects that speak of the document: its information and its metadata, and where its fields are listed."""
    found = [trailer.raw_get("/Info")] if "/Info" in trailer else []
    found += [old.root.raw_get(key) for key in ("/Metadata", "/AcroForm", "/DSS") if key in old.root]
    return {_name(one.reference) for one in found if hasattr(one, "reference")}


def _name(ref: Any) -> tuple[int, int]:
    return ref.idnum, ref.generation
