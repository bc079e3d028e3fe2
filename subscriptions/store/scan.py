"""Reading all documents that meet a filter, a page at a time."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from infrastructure.read_store import Comparison, Page, StoredDocument, Where

# A dead letter holds up to 128 KiB of text for people; a page of them should be one reply.
PAGE = 100


class PagedStore(Protocol):
    """What is needed of the read store; see infrastructure.read_store.ReadStore."""

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]: ...


async def scan_pages(
    store: PagedStore, collection: str, where: Where, *, by: str, after: int = -1
) -> AsyncIterator[dict[str, Any]]:
    """The fields of every document that meets `where`, ordered by its integer field `by`, which need not be unique.

    Raises what the store raises.
    """
    limit = PAGE
    while True:
        found = await store.page(collection, Page({**where, by: Comparison(above=after)}, by, limit))
        page = [document.fields for _, document in found if document.fields is not None]
        if len(page) < limit:
            for document in page:
                yield document
            return
        # More documents with the last value may come after the page, so the last value waits for the next page.
        whole = [document for document in page if document[by] < page[-1][by]]
        if not whole:
            limit *= 2
            continue
        for document in whole:
            yield document
        after = whole[-1][by]
