"""The keys of the links by which customers sign, in a file of their own: the first makes them, all of them check.

A JWKS of secret keys for HS256. A new key goes before the others, which stay until the links that they have made are
over: `eventfold documents rotate-link-key`.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from infrastructure.security.signing_key import write_private

log = structlog.get_logger(__name__)

_BYTES = 32
_MAX_FILE = 65_536


class UnusableLinkKeys(Exception):
    """The file can't be read, or holds no such keys; the message says where, and nothing of what is in it."""


class LinkKey(Struct, frozen=True):
    """One key, and its name."""

    kid: str
    secret: bytes

    def __repr__(self) -> str:
        return f"LinkKey({self.kid})"


class LinkKeys:
    """Those of the file as it is, read again when it has changed. Every method raises UnusableLinkKeys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: tuple[LinkKey, ...] = ()
        self._seen: tuple[int, int, int] | None = None

    def all(self) -> tuple[LinkKey, ...]:
        """Every key, the one that makes links first."""
        try:
            status = self.path.stat()
            seen = status.st_ino, status.st_mtime_ns, status.st_size
            if seen != self._seen:
                self._keys, self._seen = _parse(self._content(), self.path), seen
                if status.st_mode & 0o007:
                    log.warning("everybody on this machine may read the keys of signing links", file=str(self.path))
        except OSError as error:
            raise UnusableLinkKeys(f"{self.path} can't be read ({error.strerror})") from None
        return self._keys

    def find(self, kid: str) -> LinkKey | None:
        """The key of that name."""
        return next((key for key in self.all() if key.kid == kid), None)

    def _content(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(_MAX_FILE)


def make_link_keys(path: Path) -> None:
    """Makes the file with one key unless it is there; what is there is kept to its owner again."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        os.chmod(path, 0o600)
    else:
        _write(path, [_new_key()])


def rotate_link_keys(path: Path, *, keep: int) -> Sequence[str]:
    """Puts a new key before those in the file, of which the newest `keep` stay; the names of the keys that are there
    now. Raises UnusableLinkKeys."""
    keys = [_new_key(), *LinkKeys(path).all()[:keep]]
    try:
        _write(path, keys)
    except OSError as error:
        raise UnusableLinkKeys(f"{path} can't be written ({error.strerror})") from None
    return [key.kid for key in keys]


def _new_key() -> LinkKey:
    return LinkKey(f"link-{secrets.token_hex(6)}", secrets.token_bytes(_BYTES))


def _write(path: Path, keys: Sequence[LinkKey]) -> None:
    jwks = {"keys": [{"kty": "oct", "alg": "HS256", "kid": key.kid, "k": _encoded(key.secret)} for key in keys]}
    write_private(path, msgspec.json.format(msgspec.json.encode(jwks), indent=2) + b"\n")


def _parse(content: bytes, path: Path) -> tuple[LinkKey, ...]:
    try:
        jwks = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnusableLinkKeys(f"{path} holds no JWKS") from None
    entries = jwks.get("keys")
    if not isinstance(entries, list) or not entries:
        raise UnusableLinkKeys(f"{path} holds no keys")
    keys = tuple(_key(entry, f"{path}, key {number}") for number, entry in enumerate(entries, start=1))
    if len({key.kid for key in keys}) < len(keys):
        raise UnusableLinkKeys(f"{path} has two keys of one name")
    return keys


def _key(entry: Any, where: str) -> LinkKey:
    fields = entry if isinstance(entry, dict) else {}
    kid, encoded = fields.get("kid"), fields.get("k")
    if fields.get("kty") != "oct" or not isinstance(kid, str) or not kid or not isinstance(encoded, str):
        raise UnusableLinkKeys(f"{where}: it is no secret key (oct) with a name (kid)")
    try:
        secret = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        secret = b""
    if len(secret) < _BYTES:
        raise UnusableLinkKeys(f"{where}: a key is {_BYTES} bytes at least, in base64url")
    return LinkKey(kid, secret)


def _encoded(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
