"""Whether an Ed25519 signature holds (RFC 8032), in Python alone: for who checks a bundle and has no library for it.

After the RFC's own example. It verifies and never signs, so that it keeps no secret and may be slow.
"""

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key's owner has signed the message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _decoded(public), _decoded(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    return _equal(_times(scalar, _BASE), _plus(commitment, _times(challenge, key)))


def _plus(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = _plus(found, point)
        point, scalar = _plus(point, point), scalar >> 1
    return found


def _equal(p: _Point, q: _Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % _P == 0 and (p[1] * q[2] - q[1] * p[2]) % _P == 0


def _decoded(encoded: bytes) -> _Point | None:
    """The point; None for what is none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    if squared == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - squared) % _P:
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _base() -> _Point:
    found = _decoded((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert found is not None, "the base point is a point"
    return found


_BASE = _base()
