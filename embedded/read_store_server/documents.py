"""Documents between BSON and the JSON text that neosqlite stores, without its search through every value.

neosqlite copies each document and searches the copies for types that JSON does not have. Its text comes from `json`.
What `json` can write by itself is written here, the same to the byte; the rest is left to neosqlite.
"""

import json.encoder
from json.encoder import JSONEncoder, encode_basestring_ascii
from typing import Any

import bson
import msgspec

from embedded.read_store_server.messages import NotOnFastPath

# What neosqlite reads back as a type that JSON does not have; and `id`, which nx-27017 turns into a longer integer.
_MARKS = ('"$date"', '"__neosqlite_', '"id"')
_read = msgspec.json.Decoder(dict[str, Any]).decode


def _refuse(value: object) -> object:
    raise NotOnFastPath(f"JSON has no type for {type(value)}")


def _writer() -> Any:
    encoder = JSONEncoder(default=_refuse, allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda document, _: (encoder.encode(document),)
    # JSONEncoder would make this object for each document, which is a quarter of the cost of the text.
    separators = encoder.key_separator, encoder.item_separator
    return make(None, _refuse, encode_basestring_ascii, None, *separators, False, False, False)


_write = _writer()


def text(document: dict[str, Any]) -> str:
    """The document as neosqlite stores it.

    Raises:
        NotOnFastPath: it contains a value that neosqlite stores in a form of its own.
        ValueError: it contains a float that JSON can't express.
    """
    return "".join(_write(document, 0))


def stored(data: object) -> bytes:
    """A stored document as BSON.

    Raises:
        NotOnFastPath: it is not what `text` writes.
        msgspec.DecodeError, OverflowError: likewise.
    """
    if type(data) is not str or any(mark in data for mark in _MARKS):
        raise NotOnFastPath("not plain JSON text")
    document = _read(data)
    if next(iter(document), None) != "_id":
        # BSON is written with `_id` first wherever it stands, and nx-27017 leaves it where it is.
        raise NotOnFastPath("its _id does not come first")
    return bson.encode(document)
