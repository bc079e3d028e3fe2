"""Messages as the short ways see them: a command and the documents that came with it, still as BSON."""

import struct
from typing import Any

import bson
from msgspec import Struct

_HEADER = struct.Struct("<iiii")
_LENGTH = struct.Struct("<i")
_OP_MSG = 2013
_BODY, _DOCUMENTS = b"\x00", b"\x01"


class NotShort(Exception):
    """A message, or a document in it, that has to go nx-27017's own way."""


class Request(Struct, frozen=True):
    """A command (`insert`, `update` or `find`), its arguments, and its documents one after the other as BSON."""

    number: int
    command: str
    body: dict[str, Any]
    documents: bytes

    @property
    def database(self) -> str:
        """The database that it is for."""
        return str(self.body["$db"])

    @property
    def collection(self) -> str:
        """The collection that it is for."""
        return str(self.body[self.command])


# The arguments that the short ways know, and the documents each command brings. Any other argument (of a transaction,
# a projection, a hint, ...) means more than they do.
_ARGUMENTS = {
    "insert": frozenset({"insert", "ordered", "lsid", "$db", "writeConcern"}),
    "update": frozenset({"update", "ordered", "lsid", "$db", "writeConcern"}),
    "find": frozenset({"find", "filter", "limit", "batchSize", "singleBatch", "lsid", "$db", "$readPreference"}),
}
_SEQUENCES = {"insert": b"documents\x00", "update": b"updates\x00"}


def parsed(message: bytes) -> Request | None:
    """The message as a request; None when it is of another kind.

    Raises:
        NotShort: it says more than a request does, or says it in another form than the driver's.
        bson.errors.InvalidBSON, struct.error: it is broken.
    """
    _, number, _, opcode = _HEADER.unpack_from(message)
    if opcode != _OP_MSG or message[16:21] != b"\x00\x00\x00\x00" + _BODY:
        return None
    command = _command(message)
    if command is None:
        return None
    end = 21 + _LENGTH.unpack_from(message, 21)[0]
    body = bson.decode(message[21:end])
    if not body.keys() <= _ARGUMENTS[command] or type(body[command]) is not str or type(body.get("$db")) is not str:
        raise NotShort(f"{command} with other arguments")
    return Request(number, command, body, _documents(message, end, command))


def _documents(message: bytes, end: int, command: str) -> bytes:
    name = _SEQUENCES.get(command, b"")
    start = end + 5 + len(name)
    if not name and end == len(message):
        return b""
    if message[end : end + 1] != _DOCUMENTS or message[end + 5 : start] != name or start == len(message):
        raise NotShort(f"{command} with other documents")
    if end + 1 + _LENGTH.unpack_from(message, end + 1)[0] != len(message):
        raise NotShort(f"{command} with more documents")
    return message[start:]


def _command(message: bytes) -> str | None:
    """The first key of the body, which in MongoDB is the command, where it is one that has a short way."""
    key = message[26 : message.find(b"\x00", 26, 40)]
    return next((command for command in _ARGUMENTS if command.encode() == key), None)


def reply(number: int, document: bytes) -> bytes:
    """The message that answers the request of that number with a document in BSON."""
    return _HEADER.pack(21 + len(document), 0, number, _OP_MSG) + b"\x00\x00\x00\x00" + _BODY + document
