"""Documents by the SHA-256 of their bytes: one port, kept in files."""

from infrastructure.document_store.configured import document_store
from infrastructure.document_store.port import (
    AlteredDocument,
    DocumentStore,
    DocumentStoreUnavailable,
    NoSuchDocument,
    digest_of,
)

__all__ = [
    "AlteredDocument",
    "DocumentStore",
    "DocumentStoreUnavailable",
    "NoSuchDocument",
    "digest_of",
    "document_store",
]
