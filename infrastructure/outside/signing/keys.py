"""The key that seals: in a file, or in a token that is reached by PKCS#11 and never gives it away."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from infrastructure.outside.signing.port import SealFailed
from infrastructure.resilience import DependencyUnavailable
from infrastructure.secrets import Secret, WithSecrets


class TokenKey(WithSecrets, frozen=True):
    """Where a key is in a token: the module is the library that speaks with it."""

    module: str
    token: str
    label: str
    pin: Secret = ""


class SigningKey(Struct, frozen=True):
    """A pyHanko Signer, the certificate that it signs under, and the others up to the authority. `faults` are errors
    by which it says that the key can't be used now."""

    signer: Any
    certificate: Any
    chain: list[Any]
    faults: tuple[type[Exception], ...] = ()


def key_in_file(key: Path, certificates: Path) -> SigningKey:
    """The private key in the PEM file `key`, under the first certificate in the PEM file `certificates`; those after it
    lead up to the authority. Raises SealFailed where pyHanko is missing, and where a file can't be read."""
    own, others = _certificates(certificates)
    from pyhanko.keys import load_private_key_from_pemder
    from pyhanko.sign import signers

    try:
        private = load_private_key_from_pemder(str(key), passphrase=None)
    except (OSError, ValueError) as error:
        raise SealFailed(f"the key {key} can't be read: {error}") from error
    return SigningKey(signers.SimpleSigner(own, private, _registry(others)), own, others)


def key_in_token(place: TokenKey, certificates: Path) -> SigningKey:
    """The key with this label, in the token with this label. Raises SealFailed for what stays wrong, such as a wrong
    PIN, of which a token takes a few; and DependencyUnavailable where the token is not there now."""
    own, others = _certificates(certificates)
    try:
        import pkcs11
        from pyhanko.sign.pkcs11 import PKCS11Signer
    except ImportError:
        raise SealFailed("python-pkcs11 is not installed here: pip install 'eventfold[pkcs11]'") from None
    wrong_pin = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.ArgumentsBad)
    if not Path(place.module).is_file():
        raise SealFailed(f"there is no module {place.module}")
    session: Any = None
    try:
        session = _session(place)
        session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=place.label)
    except wrong_pin as error:
        raise SealFailed(f"the token {place.token} does not take the PIN: {type(error).__name__}") from error
    except pkcs11.NoSuchKey as error:
        session.close()
        raise SealFailed(f"the token {place.token} has no private key {place.label}") from error
    except Exception as error:  # pyHanko and the module have many ways to say that a token is not there
        raise DependencyUnavailable("signing key", f"the token {place.token} can't be used: {_why(error)}") from error
    # Hashed here: many tokens sign a digest alone.
    signer = PKCS11Signer(session, signing_cert=own, ca_chain=others, key_label=place.label, use_raw_mechanism=True)
    return SigningKey(signer, own, others, (pkcs11.PKCS11Error,))


def _session(place: TokenKey) -> Any:
    import pkcs11
    from pyhanko.config.pkcs11 import TokenCriteria
    from pyhanko.sign.pkcs11 import open_pkcs11_session

    criteria = TokenCriteria(label=place.token)
    try:
        return open_pkcs11_session(place.module, token_criteria=criteria, user_pin=place.pin or None)
    except pkcs11.UserAlreadyLoggedIn:  # this process, by another session
        return open_pkcs11_session(place.module, token_criteria=criteria)


def _certificates(file: Path) -> tuple[Any, list[Any]]:
    try:
        from pyhanko.keys import load_certs_from_pemder
    except ImportError:
        raise SealFailed("pyHanko is not installed here: pip install 'eventfold[documents]'") from None
    try:
        own, *others = load_certs_from_pemder([str(file)])
    except (OSError, ValueError) as error:
        raise SealFailed(f"the certificates {file} can't be read: {error}") from error
    return own, others


def _registry(certificates: list[Any]) -> Any:
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    chain = SimpleCertificateStore()
    chain.register_multiple(certificates)
    return chain


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
