"""Documents by the SHA-256 of their bytes, encrypted with the keys of their persons: one port, kept in files or S3."""

from infrastructure.document_store.configured import document_store
from infrastructure.document_store.encrypted_documents import EncryptedDocuments, Encryption
from infrastructure.document_store.port import (
    AlteredDocument,
    BlobStore,
    DocumentStore,
    DocumentStoreUnavailable,
    ForgottenDocument,
    ForgottenSubject,
    NoSuchDocument,
    digest_of,
    is_digest,
)

__all__ = [
    "AlteredDocument",
    "BlobStore",
    "DocumentStore",
    "DocumentStoreUnavailable",
    "EncryptedDocuments",
    "Encryption",
    "ForgottenDocument",
    "ForgottenSubject",
    "NoSuchDocument",
    "digest_of",
    "document_store",
    "is_digest",
]
