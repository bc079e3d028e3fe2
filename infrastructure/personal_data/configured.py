"""The key store and the master key that the settings name."""

from pathlib import Path

from infrastructure.personal_data.file_key_store import FileKeyStore
from infrastructure.personal_data.key_store import KeyStore, NoKeyStore
from infrastructure.personal_data.keys import PersonalKeys
from infrastructure.personal_data.master_keys import MasterKeys
from infrastructure.settings import InvalidSettings, Settings

_FILE = "file:"
_MONGO = ("mongodb://", "mongodb+srv://")


def personal_keys(settings: Settings) -> PersonalKeys:
    """Without a key store, keys that raise KeyStoreUnavailable: all else works. Raises InvalidSettings."""
    chosen = settings.personal_data
    if not chosen.key_store:
        why = "none is set: EVENTFOLD_KEY_STORE names one, EVENTFOLD_MASTER_KEY_FILE the key to it"
        return PersonalKeys(NoKeyStore(why), None)
    if not chosen.master_key_file:
        raise InvalidSettings("EVENTFOLD_KEY_STORE is set, but not EVENTFOLD_MASTER_KEY_FILE, which it needs")
    return PersonalKeys(
        key_store(settings), MasterKeys(Path(chosen.master_key_file)), ttl=chosen.cache_seconds, capacity=chosen.cache
    )


def key_store(settings: Settings) -> KeyStore:
    """The store of EVENTFOLD_KEY_STORE. Raises InvalidSettings."""
    where = settings.personal_data.key_store
    if where.startswith(_FILE):
        return FileKeyStore(Path(where.removeprefix(_FILE).removeprefix("//")))
    if where.startswith(_MONGO):
        # Here, because a service whose keys are in a file needs no driver.
        from infrastructure.personal_data.document_key_store import DocumentKeyStore
        from infrastructure.read_store import ReadStore

        timeout = settings.read_store.timeout
        return DocumentKeyStore(
            ReadStore(where, settings.personal_data.key_store_database, timeout=timeout, journaled=True)
        )
    raise InvalidSettings("EVENTFOLD_KEY_STORE begins with file: or mongodb://")
