"""Is a token one that its issuer made for us, and is it valid now? The signature is PyJWT's, by the key's algorithm."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import jwt
import msgspec
from msgspec import Meta, Struct

from infrastructure.access_settings import AuthenticationSettings
from infrastructure.security.identity import EVERYTHING, Identity
from infrastructure.security.invalid_token import InvalidToken
from infrastructure.security.roles import ROLES
from infrastructure.security.verification_keys import VerificationKey

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = frozenset({"jwt", "at+jwt"})
_SUBJECT = re.compile(r"[!-~]{1,128}")
"""A subject is written into events as who acted, so it has the same form as every other word there."""

_Moment = Annotated[float, Meta(ge=0, le=253_402_300_799)]
_Word = Annotated[str, Meta(max_length=256)]


class _Header(Struct):
    """What is looked at of a token's header. Where it says that keys are (`jku`, `x5u`, `jwk`, `x5c`) is not."""

    alg: str
    kid: _Word | None = None
    typ: str | None = None
    crit: Any = msgspec.UNSET


class _Claims(Struct):
    sub: str
    iss: str
    aud: str | list[str]
    exp: _Moment
    nbf: _Moment = 0.0
    iat: _Moment = 0.0
    scope: Annotated[str, Meta(max_length=4096)] = ""
    roles: Annotated[list[_Word], Meta(max_length=100)] = []


class Verified(Struct, frozen=True):
    """Who a token is of, and until when it may be taken, in epoch seconds."""

    identity: Identity
    expires: float


class Keys(Protocol):
    """Where keys are."""

    async def find(self, kid: str | None) -> VerificationKey | None:
        """The key of that name. Raises KeysUnavailable where there are none yet."""


class TokenVerifier:
    """`clock` is in epoch seconds."""

    def __init__(self, keys: Keys, settings: AuthenticationSettings, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._signatures = jwt.PyJWS()
        self._header = msgspec.json.Decoder(_Header)
        self._claims = msgspec.json.Decoder(_Claims)

    async def verify(self, token: bytes) -> Verified:
        """Who the token is of. Raises InvalidToken, or KeysUnavailable when it can't be known now."""
        if len(token) > self._settings.max_token_bytes:
            raise InvalidToken(f"the token has over {self._settings.max_token_bytes} bytes")
        if not _COMPACT.fullmatch(token):
            raise InvalidToken("the token is no JWT: three parts in base64url, with dots between them")
        header = self._read_header(token)
        key = await self._keys.find(header.kid)
        if key is None:
            known = "names no key that is known" if header.kid is not None else "names no key, and there are several"
            raise InvalidToken(f"the token {known}")
        return self._checked(self._signed(token, header, key))

    def _read_header(self, token: bytes) -> _Header:
        try:
            header = self._header.decode(jwt.utils.base64url_decode(token.partition(b".")[0]))
        except (ValueError, RecursionError):  # msgspec's errors and those of base64 are ValueErrors
            raise InvalidToken("the token's header can't be read") from None
        if header.crit is not msgspec.UNSET:
            raise InvalidToken("the token's header has `crit`, which is not taken")
        if header.typ is not None and header.typ.lower().removeprefix("application/") not in _TYPES:
            raise InvalidToken("the token's `typ` is neither JWT nor at+jwt")
        return header

    def _signed(self, token: bytes, header: _Header, key: VerificationKey) -> bytes:
        """The payload, once the signature is proven to be the key's."""
        if header.alg != key.algorithm:
            raise InvalidToken("the token's algorithm is not that of its key")
        try:
            payload = self._signatures.decode(token, key.key, algorithms=[key.algorithm])
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken("the token's signature is not its key's") from None
        assert isinstance(payload, bytes)
        return payload

    def _checked(self, payload: bytes) -> Verified:
        try:
            claims = self._claims.decode(payload)
        except (ValueError, RecursionError) as error:
            raise InvalidToken(_about(error)) from None
        now, leeway = self._clock(), self._settings.leeway
        if claims.iss != self._settings.issuer:
            raise InvalidToken("the token is of another issuer")
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if self._settings.audience not in audiences:
            raise InvalidToken("the token is for another audience")
        if now >= claims.exp + leeway:
            raise InvalidToken(f"the token expired at {_shown(claims.exp)}")
        if now < max(claims.nbf, claims.iat) - leeway:
            raise InvalidToken(f"the token is not valid before {_shown(max(claims.nbf, claims.iat))}")
        if not is_subject(claims.sub):
            raise InvalidToken("the token's `sub` is not 1 to 128 printable ASCII characters without spaces")
        return Verified(Identity(claims.sub, _scopes(claims)), claims.exp + leeway)


def is_subject(text: str) -> bool:
    """Whether a token's `sub` may be this."""
    return _SUBJECT.fullmatch(text) is not None


def _scopes(claims: _Claims) -> frozenset[str]:
    """What the token's scopes and roles come to. All of everything is for a role to give, not for a word in a list."""
    named = frozenset(claims.scope.split()) - {EVERYTHING}
    return named.union(*(ROLES.get(role, frozenset()) for role in claims.roles))


def _about(error: Exception) -> str:
    """Which claim is wrong: msgspec's message names it and what was expected, and no value."""
    if isinstance(error, msgspec.ValidationError):
        return f"the token's claims are not as they must be: {error}"
    return "the token's claims can't be read"


def _shown(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
