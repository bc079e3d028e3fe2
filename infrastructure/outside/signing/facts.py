"""What the signatures upon a PDF say of themselves: read from the document alone, and not verified."""

from datetime import datetime
from io import BytesIO

from msgspec import Struct


class SignatureFacts(Struct, frozen=True):
    """Of one signature: its certificate's subject, its own time, and the time and subject of an authority, where one
    was asked."""

    signer: str
    signed_at: datetime | None
    stamped_at: datetime | None
    stamped_by: str


def signature_facts(document: bytes) -> list[SignatureFacts]:
    """In the order in which they were made; none of what is no PDF, or where pyHanko is missing."""
    try:
        from pyhanko.pdf_utils.misc import PdfError
        from pyhanko.pdf_utils.reader import PdfFileReader
    except ImportError:
        return []
    try:
        return [_facts(one) for one in PdfFileReader(BytesIO(document)).embedded_regular_signatures]
    except PdfError:
        return []


def _facts(signature: object) -> SignatureFacts:
    signature.compute_integrity_info()  # type: ignore[attr-defined]
    certificate = signature.signer_cert  # type: ignore[attr-defined]
    signer = str(certificate.subject.human_friendly) if certificate is not None else "nobody"
    stamp = signature.attached_timestamp_data  # type: ignore[attr-defined]
    signed_at = signature.self_reported_timestamp  # type: ignore[attr-defined]
    if stamp is None:
        return SignatureFacts(signer, signed_at, None, "")
    info = stamp["encap_content_info"]["content"].parsed
    name = info["tsa"].chosen.human_friendly if info["tsa"].native is not None else ""
    return SignatureFacts(signer, signed_at, info["gen_time"].native, name)
