"""Personal fields of events: their encryption, and the keys of persons.

Only infrastructure.event_codec encrypts and decrypts.
"""

from infrastructure.personal_data.configured import key_store, personal_keys
from infrastructure.personal_data.key_store import KeyId, KeyRecord, KeyStore, KeyStoreUnavailable, WrongMasterKey
from infrastructure.personal_data.keys import PersonalKeys
from infrastructure.personal_data.master_keys import MasterKeys, make_master_key

__all__ = [
    "KeyId",
    "KeyRecord",
    "KeyStore",
    "KeyStoreUnavailable",
    "MasterKeys",
    "PersonalKeys",
    "WrongMasterKey",
    "key_store",
    "make_master_key",
    "personal_keys",
]
