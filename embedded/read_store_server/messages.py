"""Messages of the wire protocol as the fast path reads and writes them: a command, and its documents still as BSON."""

import struct
from typing import Any

import bson
from msgspec import Struct

_HEADER = struct.Struct("<iiii")
_LENGTH = struct.Struct("<i")
_OP_MSG = 2013
_BODY, _DOCUMENTS = b"\x00", b"\x01"


class NotOnFastPath(Exception):
    """nx-27017 must handle the message, or a document in it; the text says why."""


class Request(Struct, frozen=True):
    """A command (`insert`, `update` or `find`), its arguments, and its documents one after the other as BSON."""

    number: int
    command: str
    body: dict[str, Any]
    documents: bytes

    @property
    def database(self) -> str:
        return str(self.body["$db"])

    @property
    def collection(self) -> str:
        return str(self.body[self.command])


# The arguments that the fast path understands, and the documents that come with each command. Any other argument (a
# transaction, a projection, a hint, ...) asks for something that it does not do.
_ARGUMENTS = {
    "insert": frozenset({"insert", "ordered", "lsid", "$db", "writeConcern"}),
    "update": frozenset({"update", "ordered", "lsid", "$db", "writeConcern"}),
    "find": frozenset({"find", "filter", "limit", "batchSize", "singleBatch", "lsid", "$db", "$readPreference"}),
}
_SEQUENCES = {"insert": b"documents\x00", "update": b"updates\x00"}


def parse_request(message: bytes) -> Request | None:
    """The message as a request; None when it is of another kind.

    Raises:
        NotOnFastPath: it has more than a request has, or another form than the driver's.
        bson.errors.InvalidBSON, struct.error: it is malformed.
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
        raise NotOnFastPath(f"{command} with other arguments")
    return Request(number, command, body, _documents(message, end, command))


def _documents(message: bytes, end: int, command: str) -> bytes:
    name = _SEQUENCES.get(command, b"")
    start = end + 5 + len(name)
    if not name and end == len(message):
        return b""
    if message[end : end + 1] != _DOCUMENTS or message[end + 5 : start] != name or start == len(message):
        raise NotOnFastPath(f"{command} with other documents")
    if end + 1 + _LENGTH.unpack_from(message, end + 1)[0] != len(message):
        raise NotOnFastPath(f"{command} with more documents")
    return message[start:]


def _command(message: bytes) -> str | None:
    """The first key of the body, which in MongoDB is the command; None when the fast path does not know it."""
    key = message[26 : message.find(b"\x00", 26, 40)]
    return next((command for command in _ARGUMENTS if command.encode() == key), None)


def response_message(number: int, document: bytes) -> bytes:
    """The response, a document in BSON, to the request with that number."""
    return _HEADER.pack(21 + len(document), 0, number, _OP_MSG) + b"\x00\x00\x00\x00" + _BODY + document
