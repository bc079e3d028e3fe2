"""The keys of one stack on one machine, in its data directory: made once, and kept to their owner."""

import os
from pathlib import Path
from typing import Any

import msgspec

from infrastructure.secrets import read_secret
from infrastructure.security.signing_key import new_signing_key, public_jwks, write_private


class DevelopmentKeys:
    """`signing_key` is the private key, a JWK with mode 600; `jwks` its public part, for those that check tokens."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / "keys"
        self.signing_key = self.directory / "signing-key.json"
        self.jwks = self.directory / "jwks.json"

    @property
    def exist(self) -> bool:
        """Whether they have been made."""
        return self.signing_key.exists()

    def make(self) -> None:
        """Makes them where there are none yet; those that are there stay, and are kept to their owner again."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.signing_key.exists():
            write_private(self.signing_key, msgspec.json.encode(new_signing_key()) + b"\n")
        os.chmod(self.signing_key, 0o600)
        key = msgspec.json.decode(read_secret(self.signing_key, "the signing key"), type=dict[str, Any])
        write_private(self.jwks, public_jwks(key))
