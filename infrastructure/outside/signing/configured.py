"""The sealer that the settings name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.document_settings import SealingSettings
from infrastructure.outside.signing.port import Sealer, SealFailed
from infrastructure.resilience import Policy
from infrastructure.resilience.limits import Limits
from infrastructure.settings import InvalidSettings, Settings

_TIMES = Limits(timeout=10.0, concurrency=8, queue=256, retries=2)


def sealer(settings: Settings) -> Callable[[], Sealer] | None:
    """What gives the sealer, made at the first call that can; it raises SealFailed, and DependencyUnavailable where a
    token is not there now. None where no key is set: then what is signed gets no digital signature. Raises
    InvalidSettings where the settings contradict one another."""
    chosen = settings.sealing
    if not chosen.signing_key_file and not chosen.signing_certificate_file and not chosen.pkcs11_module:
        return None
    _check(chosen)
    made: list[Sealer] = []
    failed: list[SealFailed] = []

    def give() -> Sealer:
        if failed:
            raise failed[0]  # a token that is asked with a wrong PIN again and again locks itself
        if not made:
            try:
                made.append(_made(chosen, made.clear))
            except SealFailed as error:
                if chosen.pkcs11_module:
                    failed.append(error)
                raise
        return made[0]

    return give


def _check(chosen: SealingSettings) -> None:
    if chosen.pkcs11_module and chosen.signing_key_file:
        raise InvalidSettings(
            "EVENTFOLD_DOCUMENT_SIGNING_KEY_FILE and EVENTFOLD_DOCUMENT_PKCS11_MODULE exclude each other"
        )
    if chosen.pkcs11_module and not (
        chosen.pkcs11_token and chosen.pkcs11_key_label and chosen.signing_certificate_file
    ):
        raise InvalidSettings(
            "EVENTFOLD_DOCUMENT_PKCS11_MODULE needs EVENTFOLD_DOCUMENT_PKCS11_TOKEN, "
            "EVENTFOLD_DOCUMENT_PKCS11_KEY_LABEL and EVENTFOLD_DOCUMENT_SIGNING_CERTIFICATE_FILE"
        )
    if not chosen.pkcs11_module and not (chosen.signing_key_file and chosen.signing_certificate_file):
        raise InvalidSettings(
            "EVENTFOLD_DOCUMENT_SIGNING_KEY_FILE and EVENTFOLD_DOCUMENT_SIGNING_CERTIFICATE_FILE go together"
        )
    if chosen.signing_level != "b" and not chosen.timestamp_url:
        raise InvalidSettings(
            f"EVENTFOLD_DOCUMENT_SIGNING_LEVEL={chosen.signing_level} needs EVENTFOLD_DOCUMENT_TIMESTAMP_URL"
        )


def _made(chosen: SealingSettings, lost: Callable[[], None]) -> Sealer:
    from infrastructure.outside.signing.keys import TokenKey, key_in_file, key_in_token
    from infrastructure.outside.signing.pades import Level, PadesSealer

    certificates = Path(chosen.signing_certificate_file)
    if chosen.pkcs11_module:
        place = TokenKey(chosen.pkcs11_module, chosen.pkcs11_token, chosen.pkcs11_key_label, chosen.pkcs11_pin)
        key = key_in_token(place, certificates)
    else:
        key = key_in_file(Path(chosen.signing_key_file), certificates)
    times: Any = None
    if chosen.timestamp_url:
        from infrastructure.outside.signing.time_stamps import HttpTimeStamps

        times = HttpTimeStamps(chosen.timestamp_url, Policy("timestamps", _TIMES))
    level = Level(chosen.signing_level)
    if level is Level.B:
        return PadesSealer(key, times, lost=lost)
    from infrastructure.outside.signing.validation import embedding_context

    revocations = Path(chosen.revocations_file) if chosen.revocations_file else None
    authorities = Path(chosen.timestamp_ca_file) if chosen.timestamp_ca_file else None
    validation = embedding_context([key.certificate, *key.chain], authorities, revocations)
    return PadesSealer(key, times, level=level, validation=validation, lost=lost)
