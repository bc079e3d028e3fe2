"""What keeps documents: the port that services use, and the one below it that each adapter implements."""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Protocol

_DIGEST = re.compile("[0-9a-f]{64}")


class NoSuchDocument(Exception):
    """The store has no document with this SHA-256."""


class AlteredDocument(Exception):
    """What the store has in the place of a document is not what was put there: it is served to nobody."""


class ForgottenDocument(Exception):
    """The document's key was destroyed, with that of its person: nobody can read it any more."""


class ForgottenSubject(Exception):
    """The person is forgotten: no document of theirs is kept any more."""


class DocumentStoreUnavailable(Exception):
    """The store can't be used now; the message says why."""


class DocumentStore(Protocol):
    """Keeps documents by the SHA-256 of their bytes, which are never changed. Each is encrypted with the key of the
    person, or thing, that it is of.

    Every method raises DocumentStoreUnavailable, and KeyStoreUnavailable where a key can't be looked up.
    """

    async def put(self, content: bytes, subject: str) -> str:
        """Keeps it for `subject`, such as customer/c-1, and gives its SHA-256 in hexadecimal; when it returns, a crash
        can't lose it. It may be there already.

        Raises AlteredDocument when something else stands in its place, and ForgottenSubject.
        """

    async def get(self, digest: str) -> bytes:
        """The document, which is what was put there to the byte.

        Raises NoSuchDocument, AlteredDocument, ForgottenDocument, and ValueError for what is no SHA-256.
        """

    async def subject_of(self, digest: str) -> str | None:
        """Whom the document is kept for; None where it is kept in clear. Raises as `get`, but for ForgottenDocument."""

    async def close(self) -> None:
        """Gives up what it holds open."""


class BlobStore(Protocol):
    """Keeps bytes by the SHA-256 of a document, whatever they are: what stands in them is not its concern.

    Every method raises DocumentStoreUnavailable, and ValueError for what is no SHA-256.
    """

    async def write(self, digest: str, content: bytes, *, replace: bool = False) -> bool:
        """Keeps the content; when it returns, a crash can't lose it. False where something was there, which stays
        unless `replace` is set. A reader finds all of it or what was there before."""

    async def read(self, digest: str) -> bytes:
        """What was written last. Raises NoSuchDocument, and AlteredDocument where the store itself knows that it isn't
        that."""

    async def remove(self, digest: str) -> None:
        """It is gone afterwards, whether or not it was there."""

    def digests(self) -> AsyncIterator[str]:
        """Of all that is kept, in no particular order. What is written or removed meanwhile may come or not."""

    async def close(self) -> None:
        """Gives up what it holds open."""


def digest_of(content: bytes) -> str:
    """The SHA-256 in hexadecimal, by which a document is kept."""
    return hashlib.sha256(content).hexdigest()


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in hexadecimal, in small letters."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(digest: str) -> None:
    """Raises ValueError unless it is a SHA-256 in hexadecimal, in small letters: no adapter makes a path of anything
    else."""
    if not is_digest(digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256")


def verified(digest: str, content: bytes) -> bytes:
    """The content. Raises AlteredDocument unless its SHA-256 is the digest."""
    found = digest_of(content)
    if found != digest:
        raise AlteredDocument(f"the document {digest} was altered: what is kept there has the SHA-256 {found}")
    return content
