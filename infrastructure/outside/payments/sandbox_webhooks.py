"""Webhooks of the sandbox payment provider."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from domain.model.identifiers import is_identifier
from infrastructure.outside.payments.port import ProviderEvent
from infrastructure.outside.sandbox_signature import SandboxSignature, unreadable

KINDS = frozenset({"charge.succeeded", "charge.declined", "refund.succeeded", "refund.failed"})


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
    """`max_age` is in seconds."""

    def __init__(self, secret: str, max_age: float) -> None:
        self._signature = SandboxSignature(secret, max_age)

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> ProviderEvent:
        """As the port says."""
        self._signature.check(headers, body, now)
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
            if not is_identifier(envelope.id):
                raise unreadable("id: not 1 to 64 letters, digits, '_', '.', ':' or '-'")
            if envelope.type not in KINDS:
                return ProviderEvent(envelope.id, envelope.type)
            if envelope.type.startswith("charge."):
                charge = msgspec.json.decode(body, type=_ChargeTold).charge
                return _event(envelope, charge, charge.amount, charge.decline)
            told = msgspec.json.decode(body, type=_RefundTold)
            return _event(envelope, told.charge, told.refund.amount, told.refund.failure, told.refund.id)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(str(error)) from error


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
