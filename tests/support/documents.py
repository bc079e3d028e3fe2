"""The documents that services of a test keep in a folder, opened by the test itself."""

from pathlib import Path

from infrastructure.document_store import EncryptedDocuments, document_store
from infrastructure.settings import load_settings
from tests.support.services import key_settings


def documents_in(folder: Path, keys: Path) -> EncryptedDocuments:
    """Those in `folder`, with the keys of personal data that services with the directory `keys` have."""
    given = {"EVENTFOLD_AUTH": "off", "EVENTFOLD_DOCUMENT_STORE": f"file:{folder}", **key_settings(keys)}
    store = document_store(load_settings(given))
    assert store is not None
    return store
