"""Keys that tokens are checked with. Each has one algorithm, its own: what a token says of it is never followed."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import jwt
import msgspec
from msgspec import Meta, Struct

HS256 = "HS256"
MIN_SECRET_BYTES = 32
_MIN_RSA_BITS = 2048
_MOST_KEYS = 100
_MAX_KEY_ID = 256
# What a public key of each kind is made of, and the one algorithm that it is used with.
_KINDS = {
    ("RSA", None): ("RS256", ("n", "e")),
    ("EC", "P-256"): ("ES256", ("crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("crv", "x")),
}
_PRIVATE = "d"
_MIN_DISTINCT_BYTES = 10


class InvalidKeys(Exception):
    """What should be keys is none, or none that may be used; the message says why, and holds no key."""


class VerificationKey(Struct, frozen=True):
    """A key with its only algorithm; `kid` is its name, None where it has none."""

    kid: str | None
    algorithm: str
    key: jwt.PyJWK


class KeySet:
    """Keys by their names. A token without a `kid` is checked with the only key that there is."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        found = tuple(keys)
        self._by_kid = {key.kid: key for key in found if key.kid is not None}
        self._only = found[0] if len(found) == 1 else None
        self.number = len(found)

    def find(self, kid: str | None) -> VerificationKey | None:
        """The key that a token's `kid` names; a key without a name is the one that any names."""
        if self._only is not None and (kid is None or self._only.kid is None):
            return self._only
        return self._by_kid.get(kid) if kid is not None else None


class _Jwk(Struct):
    kty: str
    kid: Annotated[str, Meta(max_length=_MAX_KEY_ID)] | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None


class _Jwks(Struct):
    keys: list[dict[str, Any]]


def parse_jwks(content: bytes) -> KeySet:
    """The keys of a JWKS document, as `keys_of`. Raises InvalidKeys."""
    try:
        return keys_of(msgspec.json.decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidKeys("it is no JSON") from None


def keys_of(document: Any) -> KeySet:
    """The keys of a decoded JWKS document (RFC 7517) that RS256, ES256 or EdDSA tokens can be checked with.

    Others, which a provider may have for other ends, are left out. Raises InvalidKeys when there is none, when one is
    private or symmetric, or weak, or two have the same name.
    """
    try:
        entries = msgspec.convert(document, _Jwks).keys
    except msgspec.ValidationError as error:
        raise InvalidKeys(f"it is no JWKS document: {error}") from None
    if len(entries) > _MOST_KEYS:
        raise InvalidKeys(f"it has {len(entries)} keys, over {_MOST_KEYS}")
    keys = [key for number, entry in enumerate(entries) if (key := _key(entry, number)) is not None]
    if not keys:
        raise InvalidKeys("it has no key for RS256, ES256 (P-256) or EdDSA (Ed25519)")
    names = [key.kid for key in keys]
    if len(set(names)) != len(names):
        raise InvalidKeys("two of its keys have the same kid, or none")
    return KeySet(keys)


def secret_key(secret: str) -> KeySet:
    """The secret that HS256 tokens are signed with. Raises InvalidKeys when it could be guessed."""
    raw = secret.encode()
    if len(raw) < MIN_SECRET_BYTES or len(set(raw)) < _MIN_DISTINCT_BYTES:
        raise InvalidKeys(
            f"a secret has at least {MIN_SECRET_BYTES} bytes, chosen at random, such as of `openssl rand -hex 32`"
        )
    encoded = jwt.utils.base64url_encode(raw).decode()
    return KeySet([VerificationKey(None, HS256, jwt.PyJWK({"kty": "oct", "k": encoded}, HS256))])


def _key(entry: Mapping[str, Any], number: int) -> VerificationKey | None:
    try:
        jwk = msgspec.convert(entry, _Jwk)
    except msgspec.ValidationError as error:
        raise InvalidKeys(f"its key {number}: {error}") from None
    if _PRIVATE in entry or jwk.kty == "oct":
        raise InvalidKeys(f"its key {number} is secret; a JWKS has public keys alone")
    kind = _KINDS.get((jwk.kty, jwk.crv))
    if kind is None or (jwk.use or "sig") != "sig":
        return None
    algorithm, members = kind
    if (jwk.alg or algorithm) != algorithm:
        return None
    public = {"kty": jwk.kty, **{name: entry.get(name) for name in members}}
    try:
        key = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise InvalidKeys(f"its key {number} is no public key of its kind") from None
    if jwk.kty == "RSA" and key.key.key_size < _MIN_RSA_BITS:
        raise InvalidKeys(f"its key {number} has {key.key.key_size} bits; RSA keys have at least {_MIN_RSA_BITS}")
    return VerificationKey(jwk.kid, algorithm, key)
