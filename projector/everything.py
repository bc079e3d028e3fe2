"""Reading all documents that meet a filter, a page at a time."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol

from infrastructure.read_store import Document

# A dead letter holds up to 128 KiB of text for people; a page of them should be one reply.
PAGE = 100


class Pages(Protocol):
    """What is needed of the read store; see infrastructure.read_store.ReadStore."""

    async def page(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        by: str,
        direction: Literal["ascending", "descending"],
        limit: int,
    ) -> list[Document]: ...


async def everything(
    store: Pages, collection: str, where: Mapping[str, Any], *, by: str, after: int = -1
) -> AsyncIterator[Document]:
    """Every document that meets `where`, in the order of its integer field `by`, which need not be unique.

    Raises what the store raises.
    """
    limit = PAGE
    while True:
        page = await store.page(collection, {**where, by: {"$gt": after}}, by=by, direction="ascending", limit=limit)
        if len(page) < limit:
            for document in page:
                yield document
            return
        # Others with the last value may stand behind the page's end, so the last value waits for the next page.
        whole = [document for document in page if document[by] < page[-1][by]]
        if not whole:
            limit *= 2
            continue
        for document in whole:
            yield document
        after = whole[-1][by]
