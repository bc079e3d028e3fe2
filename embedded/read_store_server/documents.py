"""Documents between BSON and the JSON text that neosqlite keeps, without its walks through every value.

neosqlite copies each document, and walks through the copies, in search of types that JSON does not have. Its text comes
from `json`, and what `json` can write by itself it writes the same here, to the byte; the rest is left to neosqlite.
"""

import json.encoder
from json.encoder import JSONEncoder, encode_basestring_ascii
from typing import Any

import bson
import msgspec

from embedded.read_store_server.requests import NotShort

# What neosqlite reads back as another type than JSON's; and `id`, of which nx-27017 makes a longer integer.
_MARKS = ('"$date"', '"__neosqlite_', '"id"')
_read = msgspec.json.Decoder(dict[str, Any]).decode


def _refuse(value: object) -> object:
    raise NotShort(f"{type(value)} is none of JSON's types")


def _writer() -> Any:
    encoder = JSONEncoder(default=_refuse, allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda document, _: (encoder.encode(document),)
    # JSONEncoder makes this object anew for each document, at a quarter of the text's cost.
    separators = encoder.key_separator, encoder.item_separator
    return make(None, _refuse, encode_basestring_ascii, None, *separators, False, False, False)


_write = _writer()


def text(document: dict[str, Any]) -> str:
    """The document as neosqlite stores it.

    Raises:
        NotShort: it holds a value that neosqlite stores in a form of its own.
        ValueError: it holds a float that JSON has not.
    """
    return "".join(_write(document, 0))


def stored(data: object) -> bytes:
    """A stored document as BSON.

    Raises:
        NotShort: it is not what `text` writes.
        msgspec.DecodeError, OverflowError: likewise.
    """
    if type(data) is not str or any(mark in data for mark in _MARKS):
        raise NotShort("not plain JSON text")
    document = _read(data)
    if "_id" not in document:
        raise NotShort("its _id stands elsewhere")
    return bson.encode(document)
