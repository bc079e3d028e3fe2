"""Documents in memory, and a renderer whose documents can be told from one another."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from infrastructure.document_store.port import (
    DocumentStoreUnavailable,
    NoSuchDocument,
    check_digest,
    digest_of,
    verified,
)
from infrastructure.outside.pdf import DocumentTemplate


class MemoryDocumentStore:
    """See infrastructure.document_store.DocumentStore. `away` makes it so."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.away = False

    async def put(self, content: bytes) -> str:
        self._come()
        digest = digest_of(content)
        verified(digest, self.documents.setdefault(digest, content))
        return digest

    async def get(self, digest: str) -> bytes:
        check_digest(digest)
        self._come()
        if digest not in self.documents:
            raise NoSuchDocument(f"there is no document {digest}")
        return verified(digest, self.documents[digest])

    def _come(self) -> None:
        if self.away:
            raise DocumentStoreUnavailable("away")


class PlainRenderer:
    """See infrastructure.outside.pdf.Renderer: the document is what it was made of."""

    name = "plain 1"

    async def render(self, template: DocumentTemplate, values: Mapping[str, Any], at: datetime) -> bytes:
        return json.dumps([template.name, template.version, dict(values), at.isoformat()]).encode()
