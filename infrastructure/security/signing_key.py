"""A key that tokens are made with: a private JWK in a file, and the tokens that our own services make with it."""

import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import OKPAlgorithm

from infrastructure.access_settings import AuthenticationSettings
from infrastructure.secrets import UnreadableSecret, read_secret
from infrastructure.security.verification_keys import HS256, InvalidKeys, parse_jwks, secret_key

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class SigningKey:
    """Makes tokens of the issuer, for the audience, that the settings name. Its `repr` shows no key."""

    def __init__(self, key: Any, algorithm: str, kid: str | None, settings: AuthenticationSettings) -> None:
        self._key = key
        self._algorithm = algorithm
        self._kid = kid
        self._issuer = settings.issuer
        self._audience = settings.audience

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any], settings: AuthenticationSettings) -> Self:
        """Raises InvalidKeys for what is no private key for RS256, ES256 or EdDSA."""
        public = {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}
        keys = parse_jwks(msgspec.json.encode({"keys": [public]}))
        found = keys.find(public.get("kid"))
        assert found is not None
        try:
            private: Any = jwt.PyJWK(dict(jwk), found.algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise InvalidKeys("it is no private key of its kind") from None
        if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
            raise InvalidKeys("it is a public key; tokens are made with the private one")
        return cls(private, found.algorithm, found.kid, settings)

    @classmethod
    def from_secret(cls, settings: AuthenticationSettings) -> Self:
        """The secret of the settings, for development. Raises InvalidKeys when it could be guessed."""
        secret_key(settings.secret)
        return cls(settings.secret.encode(), HS256, None, settings)

    def token(
        self, subject: str, *, roles: Collection[str] = (), scopes: Collection[str] = (), ttl: float, now: float
    ) -> str:
        """A token that is valid for `ttl` seconds from `now` (epoch seconds) on."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": int(now),
            "exp": int(now + ttl),
            "jti": secrets.token_hex(8),
        }
        if roles:
            claims["roles"] = sorted(roles)
        if scopes:
            claims["scope"] = " ".join(sorted(scopes))
        headers = {"kid": self._kid} if self._kid else None
        return jwt.encode(claims, self._key, self._algorithm, headers=headers)


def read_signing_key(path: Path, variable: str, settings: AuthenticationSettings) -> SigningKey:
    """The key in the file. Raises InvalidKeys, naming the variable and the file."""
    try:
        content = read_secret(path, variable)
    except UnreadableSecret as error:
        raise InvalidKeys(str(error)) from None
    try:
        jwk = msgspec.json.decode(content, type=dict[str, Any])
        return SigningKey.from_jwk(jwk, settings)
    except msgspec.DecodeError:
        raise InvalidKeys(f"{variable}: {path} holds no JWK") from None
    except InvalidKeys as error:
        raise InvalidKeys(f"{variable}: {path}: {error}") from None


def new_signing_key() -> dict[str, Any]:
    """A private Ed25519 key as a JWK, with a name of its own."""
    jwk: dict[str, Any] = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return {**jwk, "kid": f"eventfold-{secrets.token_hex(6)}", "alg": "EdDSA", "use": "sig"}


def public_jwks(*keys: Mapping[str, Any]) -> bytes:
    """The JWKS document with the public parts of these private keys."""
    public = [{name: value for name, value in key.items() if name not in _PRIVATE_MEMBERS} for key in keys]
    return msgspec.json.format(msgspec.json.encode({"keys": public}), indent=2) + b"\n"


def write_private(path: Path, content: bytes) -> None:
    """Puts the file there whole, readable by its owner alone."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
