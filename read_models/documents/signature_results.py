"""What the signing provider told, and whether a contract says the same: for people, above all what contradicts one."""

from msgspec import Struct
from msgspec.structs import replace

from domain.documents.signature_results.events import (
    SignatureResultDecided,
    SignatureResultEvent,
    SignatureResultKept,
    SignatureResultOffered,
)
from domain.documents.signature_results.results import KINDS, Status
from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import ListQuery
from read_models.model.view import View, millis


class ToldSignatureResult(Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are epoch milliseconds. `detail` says what contradicts the contract; `kept_position` orders the list's
    pages."""

    result_id: str
    reference: str
    kind: str
    status: str
    request_id: str
    kept_at: int
    updated_at: int
    kept_position: int
    detail: str | None = None


def keys(event: SignatureResultEvent) -> tuple[str, ...]:
    """The document of the one result."""
    return (event.result_id,)


def fold(told: ToldSignatureResult | None, recorded: RecordedEvent[SignatureResultEvent]) -> ToldSignatureResult:
    """The result's document after the event."""
    event = recorded.event
    if isinstance(event, SignatureResultKept):
        kept_at = millis(event.kept_at)
        return ToldSignatureResult(
            result_id=event.result_id,
            reference=event.reference,
            kind=event.kind,
            status=Status.KEPT if event.kind in KINDS else Status.IGNORED,
            request_id=event.request_id,
            kept_at=kept_at,
            updated_at=kept_at,
            kept_position=recorded.position,
        )
    if told is None:
        raise ValueError(f"{type(event).__name__} of result {event.result_id} stands before its SignatureResultKept")
    if isinstance(event, SignatureResultOffered):
        return replace(told, status=Status.KEPT, updated_at=millis(event.offered_at))
    detail = event.detail or None
    return replace(told, status=event.outcome, detail=detail, updated_at=millis(event.decided_at))


SIGNATURE_RESULTS_TOLD = View(
    name="signature_results",
    version=1,
    document=ToldSignatureResult,
    events=frozenset({SignatureResultKept, SignatureResultDecided, SignatureResultOffered}),
    keys=keys,
    fold=fold,
    indexes=(("kept_position",), ("status", "kept_position"), ("reference", "kept_position")),
    queries=(
        ListQuery(
            path="/signature-results",
            operation="ListSignatureResults",
            access=Access("signature-results:read"),
            summary="What the signing provider told, newest first",
            filters=(
                Parameter("status", OneOf(tuple(status.value for status in Status)), "Only what stands so"),
                Parameter("reference", Identifier(), "Only what was told about this order"),
            ),
            sort="kept_position",
        ),
    ),
)
