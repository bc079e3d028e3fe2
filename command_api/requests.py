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
from infrastructure.telemetry import TraceContext

_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_encode = msgspec.json.Encoder(order="deterministic").encode


class CommandRequest(Struct, frozen=True):
    """A command with what its request's headers say.

    `has_client_key` says that the client gave the command's id, by an Idempotency-Key, so that it may be repeated;
    `command_hash` then distinguishes the command from another one under the same key (otherwise it is empty).
    `if_match` is the set of versions that the client accepts, None for any.
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


def command_request(
    command_type: CommandType, aggregate_id: str, command: Struct, headers: CommandHeaders, trace: TraceContext
) -> CommandRequest:
    """Builds what the pipeline needs; `trace` is the one that the command belongs to."""
    key = headers.idempotency_key
    command_id = key or str(uuid.uuid4())
    return CommandRequest(
        aggregate_id=aggregate_id,
        command=command,
        command_id=command_id,
        has_client_key=key is not None,
        command_hash=_hash(command_type, command) if key else "",
        if_match=headers.if_match,
        correlation_id=headers.correlation_id or command_id,
        actor=headers.actor or "anonymous",
        trace=trace,
    )


def server_named_id(command_type: CommandType, headers: CommandHeaders) -> str:
    """The id of an aggregate that the client did not name: the same for a repeated Idempotency-Key."""
    key = headers.idempotency_key
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{command_type.struct.__name__}|{key}") if key else uuid.uuid4())


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
