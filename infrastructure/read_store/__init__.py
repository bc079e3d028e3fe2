"""The read store; the only package that imports motor, and the only one that knows MongoDB's operators."""

from infrastructure.read_store.documents import StoredDocument, Write
from infrastructure.read_store.errors import ReadStoreRefused, ReadStoreUnavailable, UnsafeForReadStore
from infrastructure.read_store.page import Comparison, Page, Scalar, Where
from infrastructure.read_store.store import ReadStore, probe

__all__ = [
    "Comparison",
    "Page",
    "ReadStore",
    "ReadStoreRefused",
    "ReadStoreUnavailable",
    "Scalar",
    "StoredDocument",
    "UnsafeForReadStore",
    "Where",
    "Write",
    "probe",
]
