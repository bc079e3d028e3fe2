"""Webhooks of the sandbox provider: `Sandbox-Signature: t=<epoch seconds>,v1=<hex>`, HMAC-SHA256 over "<t>.<body>"."""

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from domain.model.identifiers import is_identifier
from infrastructure.outside.payments.port import ProviderEvent, WebhookRefused

HEADER = "sandbox-signature"
KINDS = frozenset({"charge.succeeded", "charge.declined", "refund.succeeded", "refund.failed"})

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class _Envelope(Struct):
    id: str
    type: str


class _Charge(Struct):
    id: str
    reference: str
    currency: str
    amount: int
    decline: str = ""


class _Refund(Struct):
    id: str
    amount: int
    failure: str = ""


class _ChargeTold(Struct):
    charge: _Charge


class _RefundTold(Struct):
    charge: _Charge
    refund: _Refund


class SandboxWebhooks:
    """`max_age` is in seconds, and bounds how far ahead of our clock a signature may be as well."""

    def __init__(self, secret: str, max_age: float) -> None:
        if not secret:
            raise ValueError("without a secret, anybody could sign a webhook")
        self._secret = secret.encode()
        self._max_age = max_age

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> ProviderEvent:
        """As the port says."""
        self._check_signature(headers.get(HEADER), body, now)
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
            if not is_identifier(envelope.id):
                raise _unreadable("id: not 1 to 64 letters, digits, '_', '.', ':' or '-'")
            if envelope.type not in KINDS:
                return ProviderEvent(envelope.id, envelope.type)
            if envelope.type.startswith("charge."):
                charge = msgspec.json.decode(body, type=_ChargeTold).charge
                return _event(envelope, charge, charge.amount, charge.decline)
            told = msgspec.json.decode(body, type=_RefundTold)
            return _event(envelope, told.charge, told.refund.amount, told.refund.failure, told.refund.id)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(str(error)) from error

    def _check_signature(self, header: str | None, body: bytes, now: float) -> None:
        if header is None:
            raise WebhookRefused("it has no signature", unsigned=True)
        found = _SIGNATURE.fullmatch(header)
        if found is None:
            raise WebhookRefused("its signature is not t=<seconds>,v1=<64 hexadecimal digits>", unsigned=True)
        at, signature = found.groups()
        expected = hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise WebhookRefused("its signature is made with another key, or of another body", unsigned=True)
        if abs(now - int(at)) > self._max_age:
            raise WebhookRefused(
                f"it was signed at {at}, more than {self._max_age:g} s from now ({int(now)})", unsigned=True
            )


def _event(envelope: _Envelope, charge: _Charge, amount: int, reason: str, refund_id: str = "") -> ProviderEvent:
    return ProviderEvent(
        id=envelope.id,
        kind=envelope.type,
        reference=charge.reference,
        charge_id=charge.id,
        refund_id=refund_id,
        currency=charge.currency,
        amount=amount,
        charged=charge.amount,
        reason=reason,
    )


def _unreadable(what: str) -> WebhookRefused:
    return WebhookRefused(f"it can't be read: {what}", unsigned=False)
