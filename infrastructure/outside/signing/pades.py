"""PAdES signatures by pyHanko: with the time of an authority (RFC 3161) where one is named, and with all that is needed
to verify them after the certificates have expired (LTV)."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from io import BytesIO
from typing import Any

from infrastructure.outside.signing.keys import SigningKey
from infrastructure.outside.signing.port import Sealed, SealFailed
from infrastructure.resilience import DependencyUnavailable

FIELD = "Contract"


class Level(StrEnum):
    """How long a signature can be verified: as long as its certificate is valid (B); longer, as there is a time and
    what tells that nothing was revoked then (LT); and for good, as long as somebody stamps it again (LTA)."""

    B = "b"
    LT = "lt"
    LTA = "lta"


class PadesSealer:
    """Signs with the key. With `timestamps`, a pyHanko TimeStamper, the signature says when it was made by its word;
    the levels above B need it, and `validation`, which gives the pyHanko ValidationContext that what is embedded is
    found by. `lost` is called when the key can't be used any more by this sealer."""

    def __init__(
        self,
        key: SigningKey,
        timestamps: Any = None,
        *,
        level: Level = Level.B,
        validation: Callable[[], Any] | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        if level is not Level.B and (timestamps is None or validation is None):
            raise ValueError(f"a signature of level {level} needs an authority for times, and what to validate by")
        self._signer = key.signer
        self._timestamps = timestamps
        self._level = level
        self._validation = validation
        self._faults = key.faults
        self._lost = lost
        self._certificate = hashlib.sha256(key.certificate.dump()).hexdigest()

    async def seal(self, document: bytes, reason: str) -> Sealed:
        """As Sealer says."""
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.pdf_utils.misc import PdfError
        from pyhanko.sign import fields, signers
        from pyhanko.sign.general import SigningError
        from pyhanko.sign.timestamps import TimestampRequestError

        lasting = self._level is not Level.B and self._validation is not None
        metadata = signers.PdfSignatureMetadata(
            field_name=FIELD,
            reason=reason,
            subfilter=fields.SigSeedSubFilter.PADES,
            md_algorithm="sha256",
            embed_validation_info=lasting,
            use_pades_lta=self._level is Level.LTA,
            validation_context=self._validation() if lasting and self._validation is not None else None,
        )
        signer = signers.PdfSigner(metadata, self._signer, timestamper=self._timestamps)
        try:
            made = await signer.async_sign_pdf(IncrementalPdfFileWriter(BytesIO(document)))
        except self._faults as error:
            self._lost()
            why = f"the token does not sign: {str(error) or type(error).__name__}"
            raise DependencyUnavailable("signing key", why) from error
        except TimestampRequestError as error:
            raise DependencyUnavailable("timestamps", str(error)) from error
        except (PdfError, SigningError) as error:
            raise SealFailed(f"the document can't be signed: {error}") from error
        return Sealed(made.getvalue(), self._certificate)
