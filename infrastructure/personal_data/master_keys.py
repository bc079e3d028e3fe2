"""The master keys in their file: the first wraps the keys of persons, the others unwrap what they have wrapped before.

A line of the file is 32 bytes in base64; empty lines and those that begin with # are left out. A key's id follows from
the key, so that a wrong key can't have the right id.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from infrastructure.personal_data.key_store import KeyId, KeyRecord, KeyStoreUnavailable, WrongMasterKey

log = structlog.get_logger(__name__)

_BYTES = 32
_NONCE = 12
_HEAD = "# Eventfold's master keys. The first wraps, the others unwrap. Whoever has them and the key store reads all.\n"


class DamagedKey(Exception):
    """A key is not what its master key has wrapped."""


class MasterKey(Struct, frozen=True):
    """One key, and its id."""

    secret: bytes
    id: str

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


def master_key(secret: bytes) -> MasterKey:
    """The key of 32 bytes."""
    return MasterKey(secret, hashlib.sha256(b"eventfold master key id" + secret).hexdigest()[:16])


def new_master_key() -> MasterKey:
    """A key that nobody else has."""
    return master_key(secrets.token_bytes(_BYTES))


class MasterKeys:
    """Those of the file as it is, read again when it has changed. Every method raises KeyStoreUnavailable when the file
    can't be read or holds no keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: tuple[MasterKey, ...] = ()
        self._seen: tuple[int, int, int] | None = None

    def all(self) -> tuple[MasterKey, ...]:
        """Every key, the one that wraps first."""
        try:
            status = self.path.stat()
            seen = status.st_ino, status.st_mtime_ns, status.st_size
            if seen != self._seen:
                self._keys, self._seen = parse(self.path.read_text("ascii"), self.path), seen
                if status.st_mode & 0o007:
                    log.warning("everybody on this machine may read the master key", file=str(self.path))
        except (OSError, UnicodeDecodeError) as error:
            raise KeyStoreUnavailable(f"the master key can't be read: {error}") from error
        return self._keys

    def wrap(self, key: KeyId, secret: bytes) -> KeyRecord:
        """The key of a person as it is stored."""
        return wrap(self.all()[0], key, secret)

    def unwrap(self, record: KeyRecord) -> bytes:
        """The key of a person. Raises WrongMasterKey and DamagedKey."""
        for master in self.all():
            if master.id == record.master:
                return _unwrap(master, record)
        raise WrongMasterKey(
            f"the key of {record.id.subject} is wrapped by master key {record.master}, which is not in {self.path}"
        )


def parse(text: str, path: Path) -> tuple[MasterKey, ...]:
    """The keys in the text of a file. Raises KeyStoreUnavailable."""
    keys = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            secret = base64.b64decode(stripped, validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != _BYTES:
            raise KeyStoreUnavailable(f"{path}, line {number}: a master key is {_BYTES} bytes in base64")
        keys.append(master_key(secret))
    if not keys:
        raise KeyStoreUnavailable(f"{path} holds no master key")
    return tuple(keys)


def write_master_keys(path: Path, keys: tuple[MasterKey, ...]) -> None:
    """Writes the file, for its owner's eyes alone: all of it or, after a crash, what was there before."""
    text = _HEAD + "".join(f"{base64.b64encode(key.secret).decode()}\n" for key in keys)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        _write_new(unfinished, text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_directory(path.parent)


def make_master_key(path: Path) -> None:
    """Makes the file with a new key unless it is there; of several who do so at once, one makes it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        _write_new(unfinished, f"{_HEAD}{base64.b64encode(new_master_key().secret).decode()}\n")
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_directory(path.parent)


def wrap(master: MasterKey, key: KeyId, secret: bytes) -> KeyRecord:
    """The key of a person, wrapped by a master key."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(master.secret).encrypt(nonce, secret, _bound_to(key))
    return KeyRecord(key, master.id, base64.b64encode(nonce + sealed).decode())


def _unwrap(master: MasterKey, record: KeyRecord) -> bytes:
    try:
        sealed = base64.b64decode(record.wrapped, validate=True)
        return AESGCM(master.secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(record.id))
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise DamagedKey(f"key {record.id.generation} of {record.id.subject} is damaged in the key store") from error


def _bound_to(key: KeyId) -> bytes:
    return f"eventfold key 1|{key.generation}|{key.subject}".encode()


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
