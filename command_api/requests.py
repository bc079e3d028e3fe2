"""A command request: its headers and its body, put together as the pipeline needs them."""

import hashlib
import re
import uuid
from typing import Any

import msgspec
from msgspec import Struct

from command_api.headers import CommandHeaders
from domain.model.aggregate import CommandType
from domain.model.personal import personal_inputs
from infrastructure.http.problems import PointedError, Problem
from infrastructure.name_based_ids import uuid5_text
from infrastructure.security.identity import ANYBODY
from infrastructure.security.policy import Sender, sender_of
from infrastructure.telemetry import TraceContext

_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_encode = msgspec.json.Encoder(order="deterministic").encode

_KEYS = uuid.UUID("3d0c2c0b-8e0e-5f57-9a0e-0f7f3f1f6b52")


class CommandRequest(Struct, frozen=True):
    """A command with what its request's headers say.

    `has_client_key` says that the client gave the command's id, by an Idempotency-Key, so that it may be repeated;
    `command_hash` then distinguishes the command from another one under the same key (otherwise it is empty).
    `if_match` is the set of versions that the client accepts, None for any.

    `actor` is for whom it is sent, `sent_by` who really sends it where that is somebody else. `unscoped_key` is the key
    as it was sent where it is the sender's own, "" otherwise. With an `owner`, the sender may change theirs alone.
    """

    aggregate_id: str
    command: Struct
    command_id: str
    has_client_key: bool
    command_hash: str
    if_match: frozenset[int] | None
    correlation_id: str
    actor: str
    trace: TraceContext = TraceContext()
    sent_by: str | None = None
    unscoped_key: str = ""
    owner: str | None = None


def command_request(
    command_type: CommandType,
    aggregate_id: str,
    command: Struct,
    headers: CommandHeaders,
    trace: TraceContext,
    sender: Sender | None = None,
) -> CommandRequest:
    """Builds what the pipeline needs; `trace` is the one that the command belongs to. Without a `sender` it is from
    anybody, for whom the headers say."""
    sender = sender or sender_of(ANYBODY, headers.actor, command_type.access)
    key = headers.idempotency_key
    command_id = _scoped(key, sender.keys) if key else str(uuid.uuid4())
    return CommandRequest(
        aggregate_id=aggregate_id,
        command=command,
        command_id=command_id,
        has_client_key=key is not None,
        command_hash=_hash(command_type, command) if key else "",
        if_match=headers.if_match,
        correlation_id=headers.correlation_id or command_id,
        actor=sender.actor,
        trace=trace,
        sent_by=sender.sent_by,
        unscoped_key=key if key and sender.keys else "",
        owner=sender.owner,
    )


def _scoped(key: str, keys: str) -> str:
    """The command's id: in the space that all share the key itself, in anybody's own what follows from both."""
    return uuid5_text(_KEYS, f"{len(keys)}|{keys}|{key}") if keys else key


def server_named_id(command_type: CommandType, key: str | None, keys: str) -> str:
    """The id of an aggregate that the client did not name: the same for the same key in the same space."""
    if not key:
        return str(uuid.uuid4())
    return uuid5_text(uuid.NAMESPACE_URL, f"{command_type.struct.__name__}|{_scoped(key, keys)}")


def decode_command(decoder: "msgspec.json.Decoder[Any]", body: bytes, content_type: str) -> Struct:
    """The command in a request's body; an empty body is an empty object. Raises Problem (400, 415)."""
    media_type = content_type.partition(";")[0].strip().lower()
    if body and media_type not in ("", "application/json") and not media_type.endswith("+json"):
        raise Problem(415, "media-type", "A command is sent as application/json", f"not as {media_type[:100]}")
    try:
        command: Struct = decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        raise _invalid_command(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "malformed-json", "The body is not JSON", str(error)) from error
    return command


def _invalid_command(message: str) -> Problem:
    """Says where a body differs from the command's schema, as a JSON pointer."""
    found = _AT.search(message)
    path = found.group(1) if found else ""
    pointer = re.sub(r"\[(\d+|\.\.\.)\]|\.", lambda part: f"/{part.group(1) or ''}", path)
    detail = message[: found.start()] if found else message
    unknown = re.search(r"unknown field `(.*)`$", detail)
    if unknown:
        pointer = f"{pointer}/{unknown.group(1)}"
    fault = PointedError(pointer, detail)
    title = "The command is not what its schema says"
    return Problem(400, "invalid-command", title, f"{pointer or '/'}: {detail}", errors=[fault])


def _hash(command_type: CommandType, command: Struct) -> str:
    # Of a short text one could guess what it is from a hash that stands in clear in the log: what is personal is left
    # out, so that two commands which differ in that alone count as one.
    content: Any = command
    if private := personal_inputs(command_type.struct):
        content = {name: value for name, value in msgspec.to_builtins(command).items() if name not in private}
    body = command_type.action.encode() + b"|" + _encode(content)
    return hashlib.blake2b(body, digest_size=16).hexdigest()
