"""Documents in memory, and a renderer whose documents can be told from one another."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from infrastructure.document_store.port import (
    DocumentStoreUnavailable,
    ForgottenDocument,
    ForgottenSubject,
    NoSuchDocument,
    check_digest,
    digest_of,
    verified,
)
from infrastructure.outside.pdf import DocumentTemplate


class MemoryDocumentStore:
    """See infrastructure.document_store.DocumentStore, in clear. `away` makes it so; who is in `forgotten` is."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.subjects: dict[str, str] = {}
        self.forgotten: set[str] = set()
        self.away = False

    async def put(self, content: bytes, subject: str) -> str:
        self._come()
        if subject in self.forgotten:
            raise ForgottenSubject(subject)
        digest = digest_of(content)
        self.subjects[digest] = subject
        verified(digest, self.documents.setdefault(digest, content))
        return digest

    async def get(self, digest: str) -> bytes:
        check_digest(digest)
        self._come()
        if digest not in self.documents:
            raise NoSuchDocument(f"there is no document {digest}")
        if self.subjects.get(digest) in self.forgotten:
            raise ForgottenDocument(f"the document {digest} can't be read any more")
        return verified(digest, self.documents[digest])

    async def subject_of(self, digest: str) -> str | None:
        check_digest(digest)
        self._come()
        if digest not in self.documents:
            raise NoSuchDocument(f"there is no document {digest}")
        return self.subjects.get(digest)

    async def close(self) -> None:
        pass

    def _come(self) -> None:
        if self.away:
            raise DocumentStoreUnavailable("away")


class PlainRenderer:
    """See infrastructure.outside.pdf.Renderer: the document is what it was made of."""

    name = "plain 1"

    async def render(self, template: DocumentTemplate, values: Mapping[str, Any], at: datetime) -> bytes:
        return json.dumps([template.name, template.version, dict(values), at.isoformat()]).encode()
