"""The read store; the only package that imports motor."""

from infrastructure.read_store.documents import POSITION, Held, Write
from infrastructure.read_store.errors import ReadStoreRefused, ReadStoreUnavailable, UnsafeForReadStore
from infrastructure.read_store.store import Document, ReadStore, probe

__all__ = [
    "POSITION",
    "Document",
    "Held",
    "ReadStore",
    "ReadStoreRefused",
    "ReadStoreUnavailable",
    "UnsafeForReadStore",
    "Write",
    "probe",
]
