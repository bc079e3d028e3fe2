"""Tokens of every kind, right and wrong: keys of an issuer, and what it, or somebody else, makes with them."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NOW = 1_800_000_000.0
"""The time of these tests, in epoch seconds."""

_ALGORITHMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


class IssuerKey:
    """A private key and its name."""

    def __init__(self, algorithm: str, kid: str | None) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private: Any = {
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }[algorithm]()

    def _jwk(self, key: Any) -> dict[str, Any]:
        named = {} if self.kid is None else {"kid": self.kid}
        jwk: dict[str, Any] = _ALGORITHMS[self.algorithm].to_jwk(key, as_dict=True)
        jwk.pop("key_ops", None)
        return {**jwk, **named}

    @property
    def public(self) -> dict[str, Any]:
        """The public key as a JWK."""
        return self._jwk(self.private.public_key())

    @property
    def jwk(self) -> dict[str, Any]:
        """The private key as a JWK."""
        return self._jwk(self.private)

    def token(self, claims: Any = None, **header: Any) -> str:
        """A token with these claims, whatever they are (those of `right_claims` by default), signed with this key."""
        named = {} if self.kid is None else {"kid": self.kid}
        given = json.dumps(right_claims() if claims is None else claims).encode()
        return jwt.PyJWS().encode(given, self.private, self.algorithm, headers={**named, **header})


def right_claims(**changed: Any) -> dict[str, Any]:
    """Claims that are taken at NOW; those that are None are left out."""
    claims = {"iss": "eventfold", "aud": "eventfold", "sub": "ada", "iat": int(NOW) - 10, "exp": int(NOW) + 600}
    return {name: value for name, value in (claims | changed).items() if value is not None}


def jwks(*keys: IssuerKey) -> bytes:
    """The JWKS document of these keys."""
    return msgspec.json.encode({"keys": [key.public for key in keys]})


def encoded(part: Any) -> str:
    """A part of a token, in base64url: JSON, or bytes as they are."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_token(header: Any, claims: Any, signature: bytes = b"") -> str:
    """A token of any header, claims and signature."""
    return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"


def hmac_token(header: Any, claims: Any, secret: bytes) -> str:
    """A token signed with HMAC-SHA256, whatever its header says."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
