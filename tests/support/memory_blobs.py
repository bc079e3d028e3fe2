"""The bytes of documents in memory."""

from collections.abc import AsyncIterator

from infrastructure.document_store import DocumentStoreUnavailable, NoSuchDocument
from infrastructure.document_store.port import check_digest


class MemoryBlobs:
    """See infrastructure.document_store.BlobStore. `away` makes it so."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.away = False

    async def write(self, digest: str, content: bytes, *, replace: bool = False) -> bool:
        self._come(digest)
        was_there = digest in self.blobs
        if replace or not was_there:
            self.blobs[digest] = content
        return not was_there

    async def read(self, digest: str) -> bytes:
        self._come(digest)
        try:
            return self.blobs[digest]
        except KeyError:
            raise NoSuchDocument(f"there is no document {digest}") from None

    async def remove(self, digest: str) -> None:
        self._come(digest)
        self.blobs.pop(digest, None)

    async def digests(self) -> AsyncIterator[str]:
        for digest in list(self.blobs):
            yield digest

    async def close(self) -> None:
        pass

    def _come(self, digest: str) -> None:
        check_digest(digest)
        if self.away:
            raise DocumentStoreUnavailable("away")
