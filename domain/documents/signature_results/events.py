"""What has happened to what the signing provider told about one reference."""

from datetime import datetime

from msgspec import Struct


class SignatureResultKept(Struct, frozen=True, gc=False):
    """The provider told something; it is kept as it came. The fields are those of KeepSignatureResult."""

    reference: str
    result_id: str
    kind: str
    request_id: str
    body: str
    kept_at: datetime


class SignatureResultDecided(Struct, frozen=True, gc=False):
    """How the contract took it: `outcome` is matched, mismatched or without_contract; `detail` says what differs."""

    reference: str
    result_id: str
    outcome: str
    detail: str
    decided_at: datetime


class SignatureResultOffered(Struct, frozen=True, gc=False):
    """There is a contract now: it is to be matched again. The fields are those of the result."""

    reference: str
    result_id: str
    kind: str
    request_id: str
    offered_at: datetime


SignatureResultEvent = SignatureResultKept | SignatureResultDecided | SignatureResultOffered
