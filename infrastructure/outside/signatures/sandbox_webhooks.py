"""Webhooks of the sandbox signing provider."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from domain.model.identifiers import is_identifier
from infrastructure.outside.sandbox_signature import SandboxSignature, unreadable
from infrastructure.outside.signatures.port import ToldSignature

KINDS = frozenset({"request.viewed", "request.completed", "request.declined", "request.expired"})


class _Envelope(Struct):
    id: str
    type: str


class _Request(Struct):
    id: str
    reference: str


class _Told(Struct):
    request: _Request


class SandboxSignatureWebhooks:
    """`max_age` is in seconds."""

    def __init__(self, secret: str, max_age: float) -> None:
        self._signature = SandboxSignature(secret, max_age)

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> ToldSignature:
        """As the port says."""
        self._signature.check(headers, body, now)
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
            if not is_identifier(envelope.id):
                raise unreadable("id: not 1 to 64 letters, digits, '_', '.', ':' or '-'")
            if envelope.type not in KINDS:
                return ToldSignature(envelope.id, envelope.type)
            told = msgspec.json.decode(body, type=_Told).request
            return ToldSignature(envelope.id, envelope.type, told.reference, told.id)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(str(error)) from error
