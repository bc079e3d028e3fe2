"""What differs between our contracts and the signing provider's requests. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from domain.documents.contract import Contract, Status
from domain.documents.events import ContractSigned
from infrastructure.outside.signatures import Signature

SIGNED = (Status.SIGNED, Status.SEALED)
ENDED = (Status.DECLINED, Status.EXPIRED, Status.WITHDRAWN)


class OurContract(Struct, frozen=True):
    """`contract` as its events make it; `signed` is the event that signed it, if there is one."""

    contract: Contract
    signed: ContractSigned | None = None


class Difference(Struct, frozen=True):
    """`kind` is a stable word; `ours` and `theirs` are for people. `mend` says what makes them agree where that is
    safe: `record`, what the provider has, or `cancel`, what ended here."""

    kind: str
    reference: str
    request_id: str
    ours: str
    theirs: str
    mend: str | None = None
    signature: Signature | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """By which it is recognised when one looks again."""
        return self.kind, self.reference, self.request_id


def compare(contracts: Mapping[str, OurContract], signatures: Iterable[Signature]) -> list[Difference]:
    """Every difference, by reference. What is merely under way on both sides is none."""
    by_reference: dict[str, list[Signature]] = defaultdict(list)
    for signature in signatures:
        by_reference[signature.reference].append(signature)
    return [
        difference
        for reference in sorted({*contracts, *by_reference})
        for difference in _of_one(reference, contracts.get(reference), by_reference.get(reference, []))
    ]


def _of_one(reference: str, ours: OurContract | None, signatures: list[Signature]) -> Iterable[Difference]:
    if ours is None or not ours.contract.provider:
        for one in signatures:
            shown = "no contract" if ours is None else f"{ours.contract.status}, at no provider"
            yield Difference("unknown-request", reference, one.request_id, shown, one.status, None, one)
        return
    contract = ours.contract
    mine = [one for one in signatures if one.document_sha256 == contract.document_sha256]
    for one in signatures:
        if one not in mine:
            yield _difference("another-document", ours, one)
    if not mine:
        missing = contract.status is Status.TO_SIGN or contract.status in SIGNED
        if missing:
            yield Difference("request-missing", reference, "", str(contract.status), "no request")
        return
    for one in mine:
        kind, mend = _verdict(ours, one)
        if kind:
            yield _difference(kind, ours, one, mend)


def _verdict(ours: OurContract, one: Signature) -> tuple[str, str | None]:
    """The kind of difference, "" for none, and what mends it."""
    status = ours.contract.status
    if one.status == "open":
        if status in ENDED:
            return "left-open", "cancel"
        return ("signature-missing", None) if status in SIGNED else ("", None)
    if one.status == "completed":
        if status in (Status.TO_SIGN, Status.EXPIRED):
            return "signature-missed", "record"
        if status in ENDED:
            return "signed-though-ended", None
        return ("signed-document-differs", None) if _differs(ours.signed, one) else ("", None)
    if status in SIGNED:
        return "signature-missing", None
    missed = {"declined": "decline-missed", "expired": "expiry-missed", "cancelled": "cancel-missed"}
    return (missed[one.status], "record") if status is Status.TO_SIGN else ("", None)


def _differs(signed: ContractSigned | None, one: Signature) -> bool:
    return signed is None or (signed.signed_sha256, signed.request_id) != (one.signed_sha256, one.request_id)


def _difference(kind: str, ours: OurContract, one: Signature, mend: str | None = None) -> Difference:
    return Difference(kind, ours.contract.order_id, one.request_id, str(ours.contract.status), one.status, mend, one)
