"""The sealer that the settings name."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from infrastructure.outside.signing.port import Sealer
from infrastructure.settings import InvalidSettings, Settings


def sealer(settings: Settings) -> Callable[[], Sealer] | None:
    """What gives the sealer, made at the first call, which raises SealFailed; None where no key is set: then what is
    signed gets no digital signature. Raises InvalidSettings where there is a key or a certificate alone."""
    chosen = settings.documents
    if not chosen.signing_key_file and not chosen.signing_certificate_file:
        return None
    if not chosen.signing_key_file or not chosen.signing_certificate_file:
        raise InvalidSettings(
            "EVENTFOLD_DOCUMENT_SIGNING_KEY_FILE and EVENTFOLD_DOCUMENT_SIGNING_CERTIFICATE_FILE go together"
        )

    @cache
    def made() -> Sealer:
        from infrastructure.outside.signing.pades import PadesSealer

        timestamps = None
        if chosen.timestamp_url:
            from pyhanko.sign.timestamps.requests_client import HTTPTimeStamper

            timestamps = HTTPTimeStamper(chosen.timestamp_url)
        return PadesSealer(Path(chosen.signing_key_file), Path(chosen.signing_certificate_file), timestamps)

    return made
