"""What the provider told, as the other layers see it: its commands, its events and their versions."""

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType
from domain.payments.provider_results.commands import (
    KeepResult,
    OfferAgain,
    RecordMatch,
    RecordMismatch,
    RecordMissingPayment,
)
from domain.payments.provider_results.events import (
    ProviderResultKept,
    ProviderResultMatched,
    ProviderResultMismatched,
    ProviderResultOffered,
    ProviderResultWithoutPayment,
)
from domain.payments.provider_results.results import ProviderResults, decide, evolve

PROVIDER_RESULTS = Aggregate(
    category="provider_result",
    plural="provider-results",
    state=ProviderResults,
    commands=(
        CommandType(
            KeepResult,
            "keep",
            summary="Keep what the payment provider told",
            access=Access("provider-results:keep"),
        ),
        CommandType(
            RecordMatch,
            "record-match",
            summary="Record that the payment says the same",
            access=Access("provider-results:record-match"),
        ),
        CommandType(
            RecordMissingPayment,
            "record-missing-payment",
            summary="Record that there is no such payment yet",
            access=Access("provider-results:record-missing-payment"),
        ),
        CommandType(
            RecordMismatch,
            "record-mismatch",
            summary="Record that the payment contradicts it",
            access=Access("provider-results:record-mismatch"),
        ),
        CommandType(
            OfferAgain,
            "offer-again",
            summary="Have what found no payment matched again",
            access=Access("provider-results:offer-again"),
        ),
    ),
    events=(
        EventType("ProviderResultKept", 1, ProviderResultKept),
        EventType("ProviderResultMatched", 1, ProviderResultMatched),
        EventType("ProviderResultWithoutPayment", 1, ProviderResultWithoutPayment),
        EventType("ProviderResultMismatched", 1, ProviderResultMismatched),
        EventType("ProviderResultOffered", 1, ProviderResultOffered),
    ),
    decide=decide,
    evolve=evolve,
    read_access=Access("provider-results:read"),
)
