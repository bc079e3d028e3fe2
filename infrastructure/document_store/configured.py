"""The document store that the settings name."""

from pathlib import Path

from infrastructure.document_store.encrypted_documents import EncryptedDocuments
from infrastructure.document_store.file_blobs import FileBlobs
from infrastructure.document_store.port import BlobStore
from infrastructure.personal_data import PersonalKeys, personal_keys
from infrastructure.settings import InvalidSettings, Settings

_FILE = "file:"


def document_store(settings: Settings, keys: PersonalKeys | None = None) -> EncryptedDocuments | None:
    """None where none is set: then no documents are made, and none are served. Without `keys` it has its own, as the
    settings say. Raises InvalidSettings."""
    where = settings.documents.store
    if not where:
        return None
    return EncryptedDocuments(_blobs(where), personal_keys(settings) if keys is None else keys)


def _blobs(where: str) -> BlobStore:
    if where.startswith(_FILE):
        return FileBlobs(Path(where.removeprefix(_FILE).removeprefix("//")))
    raise InvalidSettings("EVENTFOLD_DOCUMENT_STORE begins with file:")
