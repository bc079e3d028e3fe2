"""The signing provider: what we ask of any (`port.py`), the adapters, one module each, and how a signed document that
comes back is checked."""

from infrastructure.outside.signatures.port import (
    RefusedBySignatureProvider,
    Signature,
    SignaturePage,
    SignatureProvider,
    SignatureWebhookReader,
    SignatureWish,
    ToldSignature,
)

__all__ = [
    "RefusedBySignatureProvider",
    "Signature",
    "SignaturePage",
    "SignatureProvider",
    "SignatureWebhookReader",
    "SignatureWish",
    "ToldSignature",
]
