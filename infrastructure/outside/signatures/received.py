"""Whether a signed document that a provider gives out is ours, and its signature holds."""

import hashlib
from pathlib import Path

from msgspec import Struct

from infrastructure.outside.signatures.additions import Rewritten, check_additions
from infrastructure.outside.signing.verification import verify_signatures


class DocumentRefused(Exception):
    """What came back is not our document with a signature that holds: it must not be taken. The message says why."""


class ReceivedDocument(Struct, frozen=True):
    """`signed` is taken: `certificate_sha256` is of the last signer's certificate."""

    signed: bytes
    signed_sha256: str
    certificate_sha256: str


async def check_received(original: bytes, signed: bytes, expected_sha256: str, authorities: Path) -> ReceivedDocument:
    """The signed document, where all of this is so: it has the SHA-256 that the provider says; our document stands at
    its beginning to the byte, and what was added shows nothing else than a signature; every signature holds, covers all
    of it, and leads up to a trusted authority.

    Raises DocumentRefused, and ValueError where the authorities can't be read.
    """
    found = hashlib.sha256(signed).hexdigest()
    if found != expected_sha256:
        raise DocumentRefused(f"the signed document has the SHA-256 {found}, and the provider says {expected_sha256}")
    if not signed.startswith(original):
        raise DocumentRefused("our document does not stand in the signed one")
    _require_readable(authorities)
    try:
        verdicts = await verify_signatures(signed, authorities)
    except ValueError as error:
        raise DocumentRefused(str(error)) from error
    if not verdicts:
        raise DocumentRefused("the document has no signature")
    for one in verdicts:
        if not one.holds:
            raise DocumentRefused(f"the signature of {one.signer} does not hold: {one.detail}")
    try:
        check_additions(original, signed)
    except (Rewritten, ValueError) as error:
        raise DocumentRefused(f"our document was changed before it was signed: {error}") from error
    return ReceivedDocument(signed, found, verdicts[-1].certificate_sha256)


def _require_readable(authorities: Path) -> None:
    """That they can't be read is no fault of the document."""
    from pyhanko.keys import load_certs_from_pemder

    try:
        list(load_certs_from_pemder([str(authorities)]))
    except (OSError, ValueError) as error:
        raise ValueError(f"the trusted authorities in {authorities} can't be read: {error}") from error
