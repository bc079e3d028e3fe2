"""A document's fields as a few bytes: equal bytes are equal fields, so that a whole view fits in memory."""

from hashlib import blake2b
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder(order="sorted").encode


def fingerprint(document: Any) -> bytes:
    """Of a view's document or of the fields that are stored: 16 bytes, empty for what has no fingerprint.

    Different bytes do not prove that the fields differ (1 and 1.0 are equal): that is for `different_fields` to say.
    """
    try:
        return blake2b(_encode(document), digest_size=16).digest()
    except (OverflowError, TypeError, UnicodeEncodeError):
        return b""
