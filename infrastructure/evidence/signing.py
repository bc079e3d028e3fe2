"""The key that signs checkpoints, in the form of c2sp.org/signed-note and Go's sumdb/note: one line of text."""

import base64
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infrastructure.evidence.verifier import Checkpoint, VerifierKey, key_hash

_ED25519 = b"\x01"
_PREFIX = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+]{1,100}")


class InvalidKey(Exception):
    """The file holds no signing key; nothing of it is in the message."""


class Signer:
    """Signs in the name of a log."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidKey(f"{name[:100]!r} is no name for a key: no spaces and no plus sign, 100 characters at most")
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = VerifierKey(name, key_hash(name, public), public)

    @classmethod
    def new(cls, name: str) -> "Signer":
        """With a key made now. Raises InvalidKey when the name can't be one."""
        return cls(name, os.urandom(32))

    @classmethod
    def read(cls, file: Path) -> "Signer":
        """From a file that `write` made, or Go's note.GenerateKey. Raises InvalidKey, OSError."""
        text = file.read_text(errors="replace").strip()
        name, _, rest = text.removeprefix(_PREFIX).partition("+")
        try:
            raw = base64.b64decode(rest.partition("+")[2], validate=True)
        except ValueError:
            raw = b""
        if not text.startswith(_PREFIX) or len(raw) != 33 or raw[:1] != _ED25519:
            raise InvalidKey(f"{file} holds no signing key ({_PREFIX}NAME+HASH+BASE64, Ed25519)")
        signer = cls(name, raw[1:])
        if rest.partition("+")[0] != signer.verifier.hash.hex():
            raise InvalidKey(f"{file} holds a damaged signing key: its hash is not that of the key")
        return signer

    def write(self, file: Path) -> None:
        """Into a new file that its owner alone may read. Raises FileExistsError, OSError."""
        key = base64.b64encode(_ED25519 + self._seed).decode()
        text = f"{_PREFIX}{self.verifier.name}+{self.verifier.hash.hex()}+{key}\n"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as opened:
            opened.write(text)

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note."""
        text = checkpoint.encode()
        signature = base64.b64encode(self.verifier.hash + self._key.sign(text.encode())).decode()
        return f"{text}\n\N{EM DASH} {self.verifier.name} {signature}\n"
