"""The signing provider that the settings name."""

from pathlib import Path

from infrastructure.outside.signatures.port import SignatureProvider
from infrastructure.outside.signatures.sandbox import SandboxSignatureProvider
from infrastructure.settings import InvalidSettings, Settings


def signature_provider(settings: Settings) -> SignatureProvider | None:
    """None where customers sign here. Raises InvalidSettings where it is not said which authorities are trusted."""
    given = settings.signatures
    if given.provider == "none":
        return None
    if not given.ca_file:
        raise InvalidSettings(
            "EVENTFOLD_SIGNATURE_CA_FILE is not set: the authorities that signatures of the provider must lead up to"
        )
    return SandboxSignatureProvider.from_settings(settings)


def trusted_authorities(settings: Settings) -> Path:
    """The file that names them."""
    return Path(settings.signatures.ca_file)
