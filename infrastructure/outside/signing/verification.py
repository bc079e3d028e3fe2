"""Whether the signatures upon a PDF hold, by pyHanko's own validator."""

import hashlib
from io import BytesIO
from pathlib import Path

from msgspec import Struct


class SignatureVerdict(Struct, frozen=True):
    """What is found of one signature. `certificate_sha256` is of the signer's certificate, empty where there is none.
    `holds`: it is of these bytes, all of them, and made under a certificate that
    leads to a trusted authority. `timestamped`: a trusted authority says when it was made."""

    signer: str
    holds: bool
    timestamped: bool
    detail: str
    certificate_sha256: str = ""


async def verify_signatures(document: bytes, authorities: Path) -> list[SignatureVerdict]:
    """Of every signature, in the order in which they were made; `authorities` is a PEM file with the trusted
    certificates.

    Raises ValueError for what is no PDF, and for a file without certificates.
    """
    from pyhanko.keys import load_certs_from_pemder
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.status import SignatureCoverageLevel
    from pyhanko_certvalidator import ValidationContext

    try:
        roots = list(load_certs_from_pemder([str(authorities)]))
        signatures = PdfFileReader(BytesIO(document)).embedded_signatures
    except (OSError, PdfError) as error:
        raise ValueError(f"the document or {authorities} can't be read: {error}") from error
    verdicts = []
    for signature in signatures:
        certificate = signature.signer_cert
        name = str(certificate.subject.human_friendly) if certificate is not None else "nobody"
        digest = hashlib.sha256(certificate.dump()).hexdigest() if certificate is not None else ""
        try:
            status = await async_validate_pdf_signature(signature, ValidationContext(trust_roots=roots))
        except (SignatureValidationError, PdfError, ValueError) as error:
            verdicts.append(SignatureVerdict(name, False, False, str(error), digest))
            continue
        whole = status.coverage is SignatureCoverageLevel.ENTIRE_FILE
        time = status.timestamp_validity
        timestamped = time is not None and time.intact and time.valid and time.trusted
        holds = bool(status.bottom_line and whole)
        verdicts.append(SignatureVerdict(name, holds, bool(timestamped), status.summary(), digest))
    return verdicts
