"""Salted scrypt hashes of passwords."""

import base64
import hashlib
import hmac
import secrets

_COST, _BLOCK_SIZE, _PARALLELISM = 2**14, 8, 1  # 16 MiB and some 50 ms for each check
_MAX_MEMORY = 64 * 2**20


def hash_password(password: str) -> str:
    """The hash with its salt and parameters: `scrypt:cost:block size:parallelism:salt:hash`."""
    salt = secrets.token_bytes(16)
    digest = _digest(password, salt, _COST, _BLOCK_SIZE, _PARALLELISM)
    return ":".join(("scrypt", str(_COST), str(_BLOCK_SIZE), str(_PARALLELISM), _text(salt), _text(digest)))


def check_form(hashed: str) -> None:
    """
    Raises:
        ValueError: this is no hash of ours.
    """
    _parts(hashed)


def matches(password: str, hashed: str) -> bool:
    """Whether the password is the one that was hashed. Slow on purpose: not for the event loop."""
    cost, block_size, parallelism, salt, digest = _parts(hashed)
    return hmac.compare_digest(_digest(password, salt, cost, block_size, parallelism), digest)


def _parts(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    scheme, cost, block_size, parallelism, salt, digest = hashed.split(":")
    if scheme != "scrypt":
        raise ValueError(f"{scheme} is not scrypt")
    return (
        int(cost),
        int(block_size),
        int(parallelism),
        base64.b64decode(salt, validate=True),
        base64.b64decode(digest, validate=True),
    )


def _digest(password: str, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block_size, p=parallelism, maxmem=_MAX_MEMORY, dklen=32
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
