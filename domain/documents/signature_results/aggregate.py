"""What the signing provider told, as the other layers see it: its commands, its events and their versions."""

from domain.documents.signature_results.commands import (
    KeepSignatureResult,
    OfferSignatureResults,
    RecordSignatureOutcome,
)
from domain.documents.signature_results.events import (
    SignatureResultDecided,
    SignatureResultKept,
    SignatureResultOffered,
)
from domain.documents.signature_results.results import SignatureResults, decide, evolve
from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType

SIGNATURE_RESULTS = Aggregate(
    category="signature_result",
    plural="signature-results",
    state=SignatureResults,
    commands=(
        CommandType(
            KeepSignatureResult,
            "keep",
            summary="Keep what the signing provider told",
            access=Access("signature-results:keep"),
        ),
        CommandType(
            RecordSignatureOutcome,
            "record-outcome",
            summary="Record how the contract took it",
            access=Access("signature-results:record-outcome"),
        ),
        CommandType(
            OfferSignatureResults,
            "offer-again",
            summary="Have what found no contract matched again",
            access=Access("signature-results:offer-again"),
        ),
    ),
    events=(
        EventType("SignatureResultKept", 1, SignatureResultKept),
        EventType("SignatureResultDecided", 1, SignatureResultDecided),
        EventType("SignatureResultOffered", 1, SignatureResultOffered),
    ),
    decide=decide,
    evolve=evolve,
    read_access=Access("signature-results:read"),
)
