"""Documents that are encrypted where they are kept: destroying a person's key makes theirs unreadable everywhere."""

from enum import StrEnum

from infrastructure.document_store.envelope import Envelope, is_in_clear, opened, sealed, taken_apart
from infrastructure.document_store.port import (
    BlobStore,
    ForgottenDocument,
    ForgottenSubject,
    NoSuchDocument,
    check_digest,
    digest_of,
    verified,
)
from infrastructure.personal_data import PersonalKeys
from infrastructure.resilience import Policy


class Encryption(StrEnum):
    """What came of encrypting a document that was kept in clear. REMOVED: its person is forgotten."""

    ENCRYPTED = "encrypted"
    ALREADY = "already"
    REMOVED = "removed"


class EncryptedDocuments:
    """See DocumentStore. Over `blobs`, with the `keys` of persons; closes both with itself."""

    def __init__(self, blobs: BlobStore, keys: PersonalKeys) -> None:
        self.blobs = blobs
        self._keys = keys

    @property
    def policies(self) -> list[Policy]:
        """Those that calls to the store go through: none where it is a folder."""
        policy = getattr(self.blobs, "policy", None)
        return [policy] if isinstance(policy, Policy) else []

    async def put(self, content: bytes, subject: str) -> str:
        """As DocumentStore says. Nothing is ever written in clear; what stands there in clear is replaced."""
        digest = digest_of(content)
        blob = await self._sealed(digest, content, subject)
        if await self.blobs.write(digest, blob) or await self._is_kept(digest):
            return digest
        await self.blobs.write(digest, blob, replace=True)
        return digest

    async def get(self, digest: str) -> bytes:
        """As DocumentStore says. Documents in clear, which were kept before, are read too."""
        check_digest(digest)
        return await self._opened(digest, await self.blobs.read(digest))

    async def subject_of(self, digest: str) -> str | None:
        """As DocumentStore says."""
        check_digest(digest)
        blob = await self.blobs.read(digest)
        return None if is_in_clear(blob) else taken_apart(digest, blob).key.subject

    async def is_in_clear(self, digest: str) -> bool:
        """Whether the document is kept unencrypted, whatever became of it. Raises NoSuchDocument."""
        return is_in_clear(await self.blobs.read(digest))

    async def examine(self, digest: str) -> bool:
        """Whether the document, which is as it was, is kept unencrypted. Raises as `get`."""
        check_digest(digest)
        blob = await self.blobs.read(digest)
        await self._opened(digest, blob)
        return is_in_clear(blob)

    async def encrypt(self, digest: str, subject: str, *, forgotten: bool = False) -> Encryption:
        """Encrypts a document that was kept in clear; with `forgotten`, or where the subject is, it is removed.

        Raises NoSuchDocument and AlteredDocument: what was altered stays as it is, for somebody to look at.
        """
        blob = await self.blobs.read(digest)
        if not is_in_clear(blob):
            return Encryption.ALREADY
        content = verified(digest, blob)
        try:
            envelope = None if forgotten else await self._sealed(digest, content, subject)
        except ForgottenSubject:
            envelope = None
        if envelope is None:
            await self.blobs.remove(digest)
            return Encryption.REMOVED
        await self.blobs.write(digest, envelope, replace=True)
        return Encryption.ENCRYPTED

    async def close(self) -> None:
        await self.blobs.close()
        await self._keys.close()

    async def _sealed(self, digest: str, content: bytes, subject: str) -> bytes:
        key = (await self._keys.to_seal({subject: False}))[subject]
        if key.secret is None:
            raise ForgottenSubject(f"{subject} is forgotten: no document of theirs is kept any more")
        return sealed(digest, content, key.id, key.secret)

    async def _is_kept(self, digest: str) -> bool:
        """Whether what stands there is the document, encrypted and readable. Raises AlteredDocument."""
        try:
            blob = await self.blobs.read(digest)
            await self._opened(digest, blob)
        except (NoSuchDocument, ForgottenDocument):
            return False
        return not is_in_clear(blob)

    async def _opened(self, digest: str, blob: bytes) -> bytes:
        if is_in_clear(blob):
            return verified(digest, blob)
        envelope = taken_apart(digest, blob)
        secret = await self._secret(envelope)
        if secret is None:
            raise ForgottenDocument(
                f"the document {digest} can't be read any more: {envelope.key.subject} is forgotten"
            )
        return opened(digest, envelope, secret)

    async def _secret(self, envelope: Envelope) -> bytes | None:
        return (await self._keys.to_open([envelope.key]))[envelope.key]
