"""What keeps documents: the port that each adapter implements."""

import hashlib
import re
from typing import Protocol

_DIGEST = re.compile("[0-9a-f]{64}")


class NoSuchDocument(Exception):
    """The store has no document with this SHA-256."""


class AlteredDocument(Exception):
    """What the store has in the place of a document is not what was put there: it is served to nobody."""


class DocumentStoreUnavailable(Exception):
    """The store can't be used now; the message says why."""


class DocumentStore(Protocol):
    """Keeps documents by the SHA-256 of their bytes, which are never changed and never removed by it."""

    async def put(self, content: bytes) -> str:
        """Keeps it and gives its SHA-256 in hexadecimal; when it returns, a crash can't lose it. It may be there
        already.

        Raises AlteredDocument when something else stands in its place, and DocumentStoreUnavailable.
        """

    async def get(self, digest: str) -> bytes:
        """The document, which is what was put there to the byte.

        Raises NoSuchDocument, AlteredDocument and DocumentStoreUnavailable, and ValueError for what is no SHA-256.
        """


def digest_of(content: bytes) -> str:
    """The SHA-256 in hexadecimal, by which a document is kept."""
    return hashlib.sha256(content).hexdigest()


def check_digest(digest: str) -> None:
    """Raises ValueError unless it is a SHA-256 in hexadecimal, in small letters: no adapter makes a path of anything
    else."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256")


def verified(digest: str, content: bytes) -> bytes:
    """The content. Raises AlteredDocument unless its SHA-256 is the digest."""
    found = digest_of(content)
    if found != digest:
        raise AlteredDocument(f"the document {digest} was altered: what is kept there has the SHA-256 {found}")
    return content
