"""A document as it is kept: encrypted with AES-256-GCM, bound to its SHA-256 and to the key.

    eventfold document 1
    {"of":"customer/c-1","key":1}
    <nonce, 12 bytes><ciphertext and tag><SHA-256 of all bytes before, 32 bytes>

The SHA-256 at the end shows what was damaged also once the key is gone; against who changes it too, there is the tag.
What does not begin with the first line is a document in clear, as releases before this one kept them.
"""

import hashlib
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from infrastructure.document_store.port import AlteredDocument, verified
from infrastructure.personal_data import KeyId

_FIRST_LINE = b"eventfold document 1\n"
_NONCE, _CHECKSUM = 12, 32


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    of: str
    key: int


class Envelope(Struct, frozen=True):
    """What is kept of a document, taken apart; `key` is the one that it is encrypted with."""

    key: KeyId
    nonce: bytes
    ciphertext: bytes


def is_in_clear(blob: bytes) -> bool:
    """Whether it is a document that was kept before documents were encrypted, or something else that is no envelope."""
    return not blob.startswith(_FIRST_LINE)


def sealed(digest: str, content: bytes, key: KeyId, secret: bytes) -> bytes:
    """The document as it is kept."""
    nonce = secrets.token_bytes(_NONCE)
    header = msgspec.json.encode(_Header(key.subject, key.generation))
    body = nonce + AESGCM(secret).encrypt(nonce, content, _bound_to(digest, key))
    envelope = _FIRST_LINE + header + b"\n" + body
    return envelope + hashlib.sha256(envelope).digest()


def taken_apart(digest: str, blob: bytes) -> Envelope:
    """Raises AlteredDocument for what is no envelope, or was damaged."""
    if hashlib.sha256(blob[:-_CHECKSUM]).digest() != blob[-_CHECKSUM:]:
        raise AlteredDocument(f"the document {digest} was altered: it is not as it was encrypted")
    line, _, body = blob[len(_FIRST_LINE) : -_CHECKSUM].partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=_Header)
    except msgspec.MsgspecError as error:
        raise AlteredDocument(f"the document {digest} was altered: its second line is no header") from error
    return Envelope(KeyId(header.of, header.key), body[:_NONCE], body[_NONCE:])


def opened(digest: str, envelope: Envelope, secret: bytes) -> bytes:
    """The document. Raises AlteredDocument."""
    try:
        content = AESGCM(secret).decrypt(envelope.nonce, envelope.ciphertext, _bound_to(digest, envelope.key))
    except (InvalidTag, ValueError) as error:
        raise AlteredDocument(f"the document {digest} was altered, or is another one") from error
    return verified(digest, content)


def _bound_to(digest: str, key: KeyId) -> bytes:
    return msgspec.json.encode(("eventfold document 1", digest, key.subject, key.generation))
