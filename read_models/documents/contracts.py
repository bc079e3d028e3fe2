"""The contract of each order: how far it has come, with the time of every step; by status, order and customer."""

from msgspec import Struct
from msgspec.structs import replace

from domain.documents.contract import Status
from domain.documents.events import (
    ContractCompleted,
    ContractCustomerNotified,
    ContractDeclined,
    ContractEvent,
    ContractExpired,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSentToProvider,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import EvidenceQuery, FileQuery, KeyQuery, ListQuery
from read_models.model.view import View, millis


class ContractDocument(Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are epoch milliseconds, amounts in minor units, sizes in bytes. `document_sha256` is of what the customer
    signs, `sealed_sha256` of the same with its digital signature, `current_sha256` of the newer of the two;
    `completion_sha256` is of the certificate of completion. `reason` is why it was declined or withdrawn; `provider`
    names the signing provider that has it; `notices` are the messages that the customer got. `version` is the stream's
    revision; `requested_position` orders the list's pages. Names are personal: the history alone says them.
    """

    order_id: str
    customer_id: str
    currency: str
    total: int
    status: str
    requested_at: int
    updated_at: int
    version: int
    requested_position: int
    notices: list[str] = []
    document_sha256: str | None = None
    sealed_sha256: str | None = None
    current_sha256: str | None = None
    certificate_sha256: str | None = None
    completion_sha256: str | None = None
    size: int | None = None
    template: str | None = None
    template_version: int | None = None
    renderer: str | None = None
    reason: str | None = None
    provider: str | None = None
    expires_at: int | None = None
    rendered_at: int | None = None
    signature_requested_at: int | None = None
    sent_at: int | None = None
    reminded_at: int | None = None
    signed_at: int | None = None
    sealed_at: int | None = None
    completed_at: int | None = None
    declined_at: int | None = None
    expired_at: int | None = None
    withdrawn_at: int | None = None
    notified_at: int | None = None


def keys(event: ContractEvent) -> tuple[str, ...]:
    """The document of the order's contract."""
    return (event.order_id,)


def fold(contract: ContractDocument | None, recorded: RecordedEvent[ContractEvent]) -> ContractDocument:
    """The contract's document after the event."""
    event = recorded.event
    if isinstance(event, ContractRequested):
        return _requested(event, recorded)
    if contract is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id} stands before its ContractRequested")
    contract = replace(contract, version=recorded.revision)
    match event:
        case ContractRendered():
            return _rendered(contract, event)
        case SignatureRequested():
            at = millis(event.requested_at)
            return replace(
                contract,
                status=Status.TO_SIGN,
                expires_at=millis(event.expires_at),
                signature_requested_at=at,
                updated_at=at,
            )
        case ContractSentToProvider():
            at = millis(event.sent_at)
            return replace(contract, provider=event.provider, sent_at=at, updated_at=at)
        case SignatureReminded():
            at = millis(event.reminded_at)
            return replace(contract, reminded_at=at, updated_at=at)
        case ContractSigned():
            at = millis(event.signed_at)
            return replace(contract, status=Status.SIGNED, signed_at=at, updated_at=at)
        case ContractDeclined():
            at = millis(event.declined_at)
            return replace(contract, status=Status.DECLINED, reason=event.reason, declined_at=at, updated_at=at)
        case ContractExpired():
            at = millis(event.expired_at)
            return replace(contract, status=Status.EXPIRED, expired_at=at, updated_at=at)
        case ContractWithdrawn():
            at = millis(event.withdrawn_at)
            return replace(contract, status=Status.WITHDRAWN, reason=event.reason, withdrawn_at=at, updated_at=at)
        case ContractSealed():
            at = millis(event.sealed_at)
            return replace(
                contract,
                status=Status.SEALED,
                sealed_sha256=event.sealed_sha256,
                current_sha256=event.sealed_sha256,
                certificate_sha256=event.certificate_sha256,
                size=event.size,
                sealed_at=at,
                updated_at=at,
            )
        case ContractCompleted():
            at = millis(event.completed_at)
            return replace(contract, completion_sha256=event.completion_sha256, completed_at=at, updated_at=at)
        case ContractCustomerNotified():
            at = millis(event.notified_at)
            return replace(contract, notices=[*contract.notices, event.kind], notified_at=at, updated_at=at)


def _requested(event: ContractRequested, recorded: RecordedEvent[ContractEvent]) -> ContractDocument:
    at = millis(event.requested_at)
    return ContractDocument(
        order_id=event.order_id,
        customer_id=event.customer_id,
        currency=event.currency,
        total=event.total,
        status=Status.REQUESTED,
        requested_at=at,
        updated_at=at,
        version=recorded.revision,
        requested_position=recorded.position,
    )


def _rendered(contract: ContractDocument, event: ContractRendered) -> ContractDocument:
    at = millis(event.rendered_at)
    return replace(
        contract,
        status=Status.RENDERED,
        document_sha256=event.document_sha256,
        current_sha256=event.document_sha256,
        size=event.size,
        template=event.template,
        template_version=event.template_version,
        renderer=event.renderer,
        rendered_at=at,
        updated_at=at,
    )


CONTRACTS = View(
    name="contracts",
    version=1,
    document=ContractDocument,
    events=frozenset(
        {
            ContractRequested,
            ContractRendered,
            SignatureRequested,
            ContractSentToProvider,
            SignatureReminded,
            ContractSigned,
            ContractDeclined,
            ContractExpired,
            ContractWithdrawn,
            ContractSealed,
            ContractCompleted,
            ContractCustomerNotified,
        }
    ),
    keys=keys,
    fold=fold,
    indexes=(("requested_position",), ("status", "requested_position"), ("customer_id", "requested_position")),
    per_stream=True,
    dropped_with="contract",
    begins_with=frozenset({ContractRequested}),
    queries=(
        KeyQuery(
            path="/contracts/{contract_id}",
            operation="GetContract",
            access=Access("contracts:read", owner="customer_id"),
            summary="The contract of an order, with the time of every step",
            description="A contract has the id of its order. The `ETag` is the one that commands take in `If-Match`.",
            key=Parameter("contract_id", Identifier()),
            noun="contract",
            version_field="version",
            aggregate="contract",
        ),
        FileQuery(
            path="/documents/{document_id}",
            operation="GetDocument",
            access=Access("contracts:read", owner="customer_id"),
            summary="The contract of an order as PDF, with its digital signature once it has one",
            description="A document has the id of its order.",
            key=Parameter("document_id", Identifier()),
            digest="current_sha256",
            media_type="application/pdf",
            noun="document",
        ),
        EvidenceQuery(
            path="/orders/{order_id}/evidence",
            operation="GetEvidence",
            access=Access("contracts:read", owner="customer_id"),
            summary="All that shows what was agreed, as a ZIP file that can be checked anywhere, without this service",
            description="The contract, its certificate of completion, the events of the order and of the contract as "
            "they are stored, with the proofs that they are in the signed log, and a program that checks all of it.",
            key=Parameter("order_id", Identifier()),
            streams=("order", "contract"),
            files=(
                ("contract.pdf", "document_sha256"),
                ("contract-sealed.pdf", "sealed_sha256"),
                ("certificate-of-completion.pdf", "completion_sha256"),
            ),
            noun="contract",
        ),
        ListQuery(
            path="/contracts",
            operation="ListContracts",
            access=Access("contracts:read", owner="customer_id"),
            summary="Contracts, newest first",
            filters=(
                Parameter("status", OneOf(tuple(status.value for status in Status)), "Only contracts with this status"),
                Parameter("customer_id", Identifier(), "Only contracts of this customer"),
            ),
            sort="requested_position",
        ),
    ),
)
