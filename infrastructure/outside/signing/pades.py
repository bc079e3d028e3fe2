"""PAdES signatures by pyHanko: with a key and a certificate from files, and the time of an authority (RFC 3161) where
one is named."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

from infrastructure.outside.signing.port import Sealed, SealFailed
from infrastructure.resilience import DependencyUnavailable

FIELD = "Contract"


class PadesSealer:
    """Signs with the private key in the PEM file `key`, under the first certificate in the PEM file `certificates`;
    those after it lead up to the authority. With `timestamps`, a pyHanko TimeStamper, the signature says when it was
    made by its word.

    Raises SealFailed where pyHanko is missing, and where a file can't be read.
    """

    def __init__(self, key: Path, certificates: Path, timestamps: Any = None) -> None:
        try:
            from pyhanko.keys import load_certs_from_pemder, load_private_key_from_pemder
            from pyhanko.sign import signers
            from pyhanko_certvalidator.registry import SimpleCertificateStore
        except ImportError:
            raise SealFailed("pyHanko is not installed here: pip install 'eventfold[documents]'") from None
        try:
            private = load_private_key_from_pemder(str(key), passphrase=None)
            own, *others = load_certs_from_pemder([str(certificates)])
        except (OSError, ValueError) as error:
            raise SealFailed(f"the key {key} or the certificates {certificates} can't be read: {error}") from error
        chain = SimpleCertificateStore()
        chain.register_multiple(others)
        self._signer = signers.SimpleSigner(own, private, chain)
        self._timestamps = timestamps
        self._certificate = hashlib.sha256(own.dump()).hexdigest()

    async def seal(self, document: bytes, reason: str) -> Sealed:
        """As Sealer says."""
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.pdf_utils.misc import PdfError
        from pyhanko.sign import fields, signers
        from pyhanko.sign.general import SigningError
        from pyhanko.sign.timestamps import TimestampRequestError

        metadata = signers.PdfSignatureMetadata(
            field_name=FIELD, reason=reason, subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256"
        )
        signer = signers.PdfSigner(metadata, self._signer, timestamper=self._timestamps)
        try:
            made = await signer.async_sign_pdf(IncrementalPdfFileWriter(BytesIO(document)))
        except TimestampRequestError as error:
            raise DependencyUnavailable("timestamps", str(error)) from error
        except (PdfError, SigningError) as error:
            raise SealFailed(f"the document can't be signed: {error}") from error
        return Sealed(made.getvalue(), self._certificate)
