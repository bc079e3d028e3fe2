"""What the payment provider told, and whether a payment says the same: for people, above all what contradicts one."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.payments.provider_results.events import (
    ProviderResultEvent,
    ProviderResultKept,
    ProviderResultMatched,
    ProviderResultMismatched,
    ProviderResultOffered,
    ProviderResultWithoutPayment,
)
from domain.payments.provider_results.results import KINDS, Status
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import ListQuery
from read_models.model.view import View, millis


class ToldResult(Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are epoch milliseconds, amounts in minor units. `detail` says what contradicts the payment;
    `kept_position` orders the list's pages."""

    result_id: str
    reference: str
    kind: str
    status: str
    charge_id: str
    refund_id: str
    currency: str
    amount: int
    kept_at: int
    updated_at: int
    kept_position: int
    detail: str | None = None


def keys(event: ProviderResultEvent) -> tuple[str, ...]:
    """The document of the one result."""
    return (event.result_id,)


def fold(told: ToldResult | None, recorded: RecordedEvent[ProviderResultEvent]) -> ToldResult:
    """The result's document after the event."""
    event = recorded.event
    if isinstance(event, ProviderResultKept):
        kept_at = millis(event.kept_at)
        return ToldResult(
            result_id=event.result_id,
            reference=event.reference,
            kind=event.kind,
            status=Status.KEPT if event.kind in KINDS else Status.IGNORED,
            charge_id=event.charge_id,
            refund_id=event.refund_id,
            currency=event.currency,
            amount=event.amount,
            kept_at=kept_at,
            updated_at=kept_at,
            kept_position=recorded.position,
        )
    if told is None:
        raise ValueError(f"{type(event).__name__} of result {event.result_id} stands before its ProviderResultKept")
    match event:
        case ProviderResultMatched():
            return replace(told, status=Status.MATCHED, updated_at=millis(event.matched_at))
        case ProviderResultMismatched():
            at = millis(event.mismatched_at)
            return replace(told, status=Status.MISMATCHED, detail=event.detail, updated_at=at)
        case ProviderResultWithoutPayment():
            return replace(told, status=Status.WITHOUT_PAYMENT, updated_at=millis(event.missed_at))
        case ProviderResultOffered():
            return replace(told, status=Status.KEPT, updated_at=millis(event.offered_at))


PROVIDER_RESULTS_TOLD = View(
    name="provider_results",
    version=1,
    document=ToldResult,
    events=frozenset(
        {
            ProviderResultKept,
            ProviderResultMatched,
            ProviderResultMismatched,
            ProviderResultWithoutPayment,
            ProviderResultOffered,
        }
    ),
    keys=keys,
    fold=fold,
    indexes=(("kept_position",), ("status", "kept_position"), ("reference", "kept_position")),
    queries=(
        ListQuery(
            path="/provider-results",
            operation="ListProviderResults",
            access=Access("provider-results:read"),
            summary="What the payment provider told, newest first",
            filters=(
                Parameter("status", OneOf(tuple(status.value for status in Status)), "Only what stands so"),
                Parameter("reference", Identifier(), "Only what was told about this order"),
            ),
            sort="kept_position",
        ),
    ),
)
