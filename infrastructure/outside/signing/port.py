"""What puts digital signatures upon documents: the port that an adapter implements."""

from typing import Protocol

from msgspec import Struct


class SealFailed(Exception):
    """The document can't be signed, now or later; the message says why."""


class Sealed(Struct, frozen=True):
    """The document with its signature, and the SHA-256 of the certificate that it was made under."""

    content: bytes
    certificate_sha256: str


class Sealer(Protocol):
    """Signs PDF documents with the key of whoever runs the shop."""

    async def seal(self, document: bytes, reason: str) -> Sealed:
        """The document with a signature upon all of it; its own bytes stand in it unchanged, before the signature.
        `reason` is shown with the signature.

        Raises SealFailed, and DependencyUnavailable where the authority that gives the time can't be used.
        """
