"""Links by which a customer reads and signs one document: a token that says whose, which one, until when, and no more.

A token is a JWT, made with a key that is for nothing else. It is made of the event alone, so the same event and key
give the same link, however often its mail is sent. Whether the document still waits for a signature is not in it: that
the contract says.
"""

import re
from datetime import datetime
from typing import Any, Literal

import jwt
import msgspec
from msgspec import Struct

from domain.model.identifiers import is_identifier
from infrastructure.security.link_keys import LinkKeys

PURPOSE = "eventfold:sign-contract"
"""The audience of these tokens, which no other token has."""
MAX_TOKEN = 2_048
_ALGORITHM = "HS256"
_DIGEST = re.compile("[0-9a-f]{64}")
LINK_PATTERN = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}"
"""A token's form. The signature has 32 bytes: of a link that was not copied to its end it has less."""
_TOKEN = re.compile(LINK_PATTERN)


class SigningLink(Struct, frozen=True):
    """What a link is for. `expires_at` is in epoch seconds."""

    contract_id: str
    customer_id: str
    document_sha256: str
    expires_at: int


class LinkRefused(Exception):
    """A token is no link of ours, or is one no longer. `reason` is a word for logs; the message says nothing of the
    token's content."""

    def __init__(self, reason: Literal["malformed", "unknown-key", "forged", "expired"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Claims(Struct, frozen=True):
    sub: str
    contract: str
    document: str
    iat: int
    exp: int


def make_token(keys: LinkKeys, link: SigningLink, issued_at: datetime) -> str:
    """The token of a link. Raises UnusableLinkKeys."""
    key = keys.all()[0]
    claims = {
        "aud": PURPOSE,
        "sub": link.customer_id,
        "contract": link.contract_id,
        "document": link.document_sha256,
        "iat": int(issued_at.timestamp()),
        "exp": link.expires_at,
    }
    return jwt.encode(claims, key.secret, _ALGORITHM, headers={"kid": key.kid})


def read_token(keys: LinkKeys, token: str, now: float) -> SigningLink:
    """What the token is for; `now` is in epoch seconds. Raises LinkRefused and UnusableLinkKeys."""
    claims = _claims(keys, token)
    if not (is_identifier(claims.contract) and is_identifier(claims.sub) and _DIGEST.fullmatch(claims.document)):
        raise LinkRefused("forged", "the token names no contract")
    if claims.exp <= now:
        raise LinkRefused("expired", "the token is over")
    return SigningLink(claims.contract, claims.sub, claims.document, claims.exp)


def _claims(keys: LinkKeys, token: str) -> _Claims:
    if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise LinkRefused("malformed", "it is no token; was the link copied as a whole?")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise LinkRefused("malformed", "it is no token; was the link copied as a whole?") from None
    key = keys.find(str(header.get("kid")))
    if key is None:
        raise LinkRefused("unknown-key", "the token is made with a key that is not taken, or no longer")
    try:
        # Of the time the signature says enough: whether it is over is asked of our own clock below.
        options: Any = {"require": ["aud", "sub", "iat", "exp"], "verify_exp": False, "verify_iat": False}
        decoded = jwt.decode(token, key.secret, algorithms=[_ALGORITHM], audience=PURPOSE, options=options)
        return msgspec.convert(decoded, _Claims)
    except (jwt.PyJWTError, msgspec.ValidationError):
        raise LinkRefused("forged", "the token's signature does not hold, or it is for something else") from None
