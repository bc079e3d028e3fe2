"""The document store that the settings name."""

from pathlib import Path

from infrastructure.document_store.file_store import FileDocumentStore
from infrastructure.document_store.port import DocumentStore
from infrastructure.settings import InvalidSettings, Settings

_FILE = "file:"


def document_store(settings: Settings) -> DocumentStore | None:
    """None where none is set: then no documents are made, and none are served. Raises InvalidSettings."""
    where = settings.documents.store
    if not where:
        return None
    if not where.startswith(_FILE):
        raise InvalidSettings("EVENTFOLD_DOCUMENT_STORE begins with file:")
    return FileDocumentStore(Path(where.removeprefix(_FILE).removeprefix("//")))
