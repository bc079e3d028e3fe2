"""What the signatures upon a PDF say of themselves: read from the document alone, and not verified."""

from datetime import datetime
from io import BytesIO
from typing import Any

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


def time_stamp_of(signature: Any) -> Any:
    """What an authority says of a pyHanko signature (TSTInfo, RFC 3161); None where none was asked."""
    for attribute in signature.signer_info["unsigned_attrs"]:
        if attribute["type"].native == "signature_time_stamp_token":
            return attribute["values"][0]["content"]["encap_content_info"]["content"].parsed
    return None


def _facts(signature: Any) -> SignatureFacts:
    certificate, stamp = signature.signer_cert, time_stamp_of(signature)
    signer = str(certificate.subject.human_friendly) if certificate is not None else "nobody"
    if stamp is None:
        return SignatureFacts(signer, signature.self_reported_timestamp, None, "")
    by = stamp["tsa"].chosen.human_friendly if stamp["tsa"].native is not None else ""
    return SignatureFacts(signer, signature.self_reported_timestamp, stamp["gen_time"].native, by)
