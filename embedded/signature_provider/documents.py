"""What is signed and given out: the document that was sent, unless the faults say otherwise."""

import msgspec

from embedded.signature_provider.authority import Authority
from embedded.signature_provider.faults import SignedDocument
from embedded.signature_provider.objects import Signature

_ANOTHER = b"""%PDF-1.4
1 0 obj
<< /Type /Catalog /Pages 2 0 R >>
endobj
2 0 obj
<< /Type /Pages /Kids [3 0 R] /Count 1 >>
endobj
3 0 obj
<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>
endobj
xref
0 4
0000000000 65535 f\x20
0000000009 00000 n\x20
0000000058 00000 n\x20
0000000115 00000 n\x20
trailer
<< /Size 4 /Root 1 0 R >>
startxref
186
%%EOF
"""


async def signed_document(document: bytes, signer: str, authority: Authority, which: SignedDocument) -> bytes:
    """The document with the signer's signature. Raises NotADocument."""
    match which:
        case "another":
            return await authority.sign(_ANOTHER, signer)
        case "rewritten":
            return await authority.sign(_rewritten(document), signer)
        case "unsigned":
            return document
        case "untrusted":
            return await Authority(None).sign(document, signer)
        case "no-pdf":
            return b"<html><body>It works!</body></html>"
        case "right" | "altered":
            return await authority.sign(document, signer)


def altered(signed: bytes) -> bytes:
    """With a byte of the signature's own part changed."""
    place = len(signed) - 40
    return signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]


def audit_trail(request: Signature, now: float) -> bytes:
    """The provider's record of how the signature came about."""
    trail = {
        "request": request.id,
        "reference": request.reference,
        "document_sha256": request.sha256,
        "signer": {"name": request.signer_name, "mail": request.signer_mail},
        "steps": [
            {"at": request.created, "what": "requested"},
            *([{"at": request.viewed, "what": "viewed"}] if request.viewed is not None else []),
            {"at": now, "what": "signed"},
        ],
    }
    return msgspec.json.encode(trail)


def _rewritten(document: bytes) -> bytes:
    """The document to the byte, with another first page behind it: whoever opens it reads the other."""
    from io import BytesIO

    from pyhanko.pdf_utils.generic import ArrayObject, NumberObject, pdf_name
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(BytesIO(document))
    page, _ = writer.find_page_for_modification(0)
    shown = page.get_object()
    shown[pdf_name("/MediaBox")] = ArrayObject([NumberObject(one) for one in (0, 0, 10, 10)])
    writer.mark_update(page)
    made = BytesIO()
    writer.write(made)
    return made.getvalue()
