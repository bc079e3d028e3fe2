"""The contract of an order: its state, what it decides on a command, and how an event changes it."""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.documents.commands import (
    ContractCommand,
    DeclineContract,
    ExpireContract,
    RecordCompletion,
    RecordNotice,
    RecordRendering,
    RecordSeal,
    RecordSignature,
    RemindToSign,
    RequestContract,
    RequestSignature,
    SendToProvider,
    SignByLink,
    SignContract,
    WithdrawContract,
)
from domain.documents.consent import CONSENT_VERSION
from domain.documents.events import (
    ContractCompleted,
    ContractCustomerNotified,
    ContractDeclined,
    ContractEvent,
    ContractExpired,
    ContractLine,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSentToProvider,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.documents.rules import check
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation


class Status(StrEnum):
    REQUESTED = "requested"
    RENDERED = "rendered"
    TO_SIGN = "to_sign"
    SIGNED = "signed"
    SEALED = "sealed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Contract(Struct, frozen=True):
    """What the rules need to remember of a contract. `document_sha256` is empty until the document was made; `provider`
    names the signing provider that has it, if one has; `notices` are the kinds of messages that the customer got;
    `reminded` says that the customer was reminded to sign, `completed` that it has its certificate of completion."""

    order_id: str
    customer_id: str
    status: Status
    document_sha256: str = ""
    expires_at: datetime | None = None
    provider: str = ""
    notices: tuple[str, ...] = ()
    reminded: bool = False
    completed: bool = False


def decide(command: ContractCommand, contract: Contract | None, context: CommandContext) -> list[ContractEvent]:
    """The event that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when the contract's state forbids it,
    NoSuchAggregate when there is no contract and the command is not RequestContract.
    """
    check(command, context)
    if isinstance(command, RequestContract):
        return [_request(command, contract, context)]
    if contract is None:
        raise NoSuchAggregate(f"there is no contract for order {context.aggregate_id}")
    order_id, customer_id, document, at = contract.order_id, contract.customer_id, contract.document_sha256, context.at
    match command:
        case RecordRendering():
            _require(contract, "rendered", Status.REQUESTED)
            return [_rendered(command, contract, at)]
        case RequestSignature():
            _require(contract, "put up to be signed", Status.RENDERED)
            _require_document(contract, command.document_sha256)
            if command.expires_at <= at:
                raise RuleViolation("no-time-to-sign", f"{command.expires_at.isoformat()} is over already")
            expires_at = command.expires_at.astimezone(UTC)
            return [SignatureRequested(order_id, customer_id, document, expires_at, at)]
        case SignContract() | SignByLink():
            _require(contract, "signed", Status.TO_SIGN)
            if contract.provider:
                detail = f"the contract of order {order_id} is signed at {contract.provider}, and not here"
                raise RuleViolation("signed-at-provider", detail)
            _require_document(contract, command.document_sha256)
            _require_time(contract, at)
            return [_signed(command, contract, at)]
        case SendToProvider():
            _require(contract, "sent to a signing provider", Status.TO_SIGN)
            _require_document(contract, command.document_sha256)
            _require_time(contract, at)
            if contract.provider:
                raise RuleViolation("contract-is-sent", f"the contract of order {order_id} is at {contract.provider}")
            assert contract.expires_at is not None, "what can be signed has an end"
            return [ContractSentToProvider(order_id, customer_id, document, command.provider, contract.expires_at, at)]
        case RecordSignature():
            return _signed_at_provider(command, contract, at)
        case DeclineContract(reason):
            _require(contract, "declined", Status.TO_SIGN)
            _require_time(contract, at)
            return [ContractDeclined(order_id, customer_id, document, reason, at)]
        case RemindToSign():
            _require(contract, "reminded of", Status.TO_SIGN)
            _require_time(contract, at)
            if contract.reminded:
                raise RuleViolation("customer-reminded", f"the customer of order {order_id} was reminded already")
            assert contract.expires_at is not None, "who is asked to sign is told until when"
            return [SignatureReminded(order_id, customer_id, document, contract.expires_at, at)]
        case ExpireContract():
            _require(contract, "expired", Status.TO_SIGN)
            if not _is_over(contract, at):
                raise RuleViolation("time-to-sign-left", f"the contract of order {order_id} can still be signed")
            return [ContractExpired(order_id, customer_id, document, at)]
        case WithdrawContract(reason):
            _require(contract, "withdrawn", Status.REQUESTED, Status.RENDERED, Status.TO_SIGN)
            return [ContractWithdrawn(order_id, customer_id, document, reason, at)]
        case RecordSeal():
            _require(contract, "sealed", Status.SIGNED)
            _require_document(contract, command.document_sha256)
            return [
                ContractSealed(
                    order_id, customer_id, document, command.sealed_sha256, command.size, command.certificate_sha256, at
                )
            ]
        case RecordCompletion():
            _require(contract, "completed", Status.SIGNED, Status.SEALED)
            _require_document(contract, command.document_sha256)
            if contract.completed:
                raise RuleViolation("contract-is-completed", f"the contract of order {order_id} is completed already")
            return [_completed(command, contract, at)]
        case RecordNotice(kind, reference):
            if kind in contract.notices:
                raise RuleViolation("customer-notified", f"{kind} of order {order_id} is recorded already")
            return [ContractCustomerNotified(order_id, customer_id, document, kind, reference, at)]


def _request(command: RequestContract, contract: Contract | None, context: CommandContext) -> ContractRequested:
    if contract is not None:
        detail = f"the contract of order {contract.order_id} has been requested already; it is {contract.status}"
        raise RuleViolation("contract-exists", detail)
    return ContractRequested(
        order_id=context.aggregate_id,
        customer_id=command.customer_id,
        customer_name=command.customer_name,
        currency=command.currency,
        lines=[ContractLine(one.sku, one.quantity, one.unit_price, one.discount, one.total) for one in command.lines],
        total=command.total,
        ordered_at=command.ordered_at.astimezone(UTC),
        confirmed_at=command.confirmed_at.astimezone(UTC),
        requested_at=context.at,
    )


def _rendered(command: RecordRendering, contract: Contract, at: datetime) -> ContractRendered:
    return ContractRendered(
        order_id=contract.order_id,
        customer_id=contract.customer_id,
        document_sha256=command.document_sha256,
        size=command.size,
        template=command.template,
        template_version=command.template_version,
        renderer=command.renderer,
        rendered_at=at,
    )


def _signed(command: SignContract | SignByLink, contract: Contract, at: datetime) -> ContractSigned:
    """By a token it is known who signs; by a link, where the request came from is kept beside the name."""
    by_link = command if isinstance(command, SignByLink) else None
    return ContractSigned(
        order_id=contract.order_id,
        customer_id=contract.customer_id,
        document_sha256=contract.document_sha256,
        name=command.name,
        signed_at=at,
        channel="link" if by_link else "api",
        consent_version=by_link.consent_version if by_link else CONSENT_VERSION,
        address=by_link.address if by_link else "",
        user_agent=by_link.user_agent if by_link else "",
    )


def _signed_at_provider(command: RecordSignature, contract: Contract, at: datetime) -> list[ContractEvent]:
    """A signature that was given in time holds, also where it is learned of when the time is over. The document with it
    is the one that is sealed."""
    _require(contract, "signed", Status.TO_SIGN, Status.EXPIRED)
    if not contract.provider:
        raise RuleViolation("not-at-a-provider", f"no provider was asked to have {contract.order_id} signed")
    _require_document(contract, command.document_sha256)
    _require_time(contract, command.signed_at)
    order_id, customer_id, document = contract.order_id, contract.customer_id, contract.document_sha256
    signed = ContractSigned(
        order_id=order_id,
        customer_id=customer_id,
        document_sha256=document,
        name=command.name,
        signed_at=command.signed_at.astimezone(UTC),
        channel="provider",
        consent_version="",
        address="",
        user_agent="",
        signed_sha256=command.signed_sha256,
        audit_sha256=command.audit_sha256,
        request_id=command.request_id,
    )
    return [
        signed,
        ContractSealed(
            order_id, customer_id, document, command.signed_sha256, command.size, command.certificate_sha256, at
        ),
    ]


def _completed(command: RecordCompletion, contract: Contract, at: datetime) -> ContractCompleted:
    return ContractCompleted(
        order_id=contract.order_id,
        customer_id=contract.customer_id,
        document_sha256=contract.document_sha256,
        completion_sha256=command.completion_sha256,
        size=command.size,
        template=command.template,
        template_version=command.template_version,
        renderer=command.renderer,
        completed_at=at,
    )


def _require(contract: Contract, becoming: str, *allowed: Status) -> None:
    if contract.status not in allowed:
        detail = (
            f"the contract of order {contract.order_id} is {contract.status}; only one that is "
            f"{' or '.join(allowed)} can be {becoming}"
        )
        raise RuleViolation(f"contract-is-{contract.status.replace('_', '-')}", detail)


def _require_document(contract: Contract, digest: str) -> None:
    """Nobody agrees to a document that is not the one that was put up."""
    if digest != contract.document_sha256:
        detail = f"the contract of order {contract.order_id} is {contract.document_sha256}, not {digest}"
        raise RuleViolation("another-document", detail)


def _require_time(contract: Contract, at: datetime) -> None:
    if _is_over(contract, at):
        raise RuleViolation("time-to-sign-over", f"the time to sign the contract of order {contract.order_id} is over")


def _is_over(contract: Contract, at: datetime) -> bool:
    return contract.expires_at is not None and at >= contract.expires_at


def evolve(contract: Contract | None, event: ContractEvent) -> Contract:
    """The contract after the event."""
    if isinstance(event, ContractRequested):
        return Contract(event.order_id, event.customer_id, Status.REQUESTED)
    if contract is None:
        raise ValueError(f"{type(event).__name__} stands before ContractRequested in the stream of {event.order_id}")
    match event:
        case ContractRendered():
            return replace(contract, status=Status.RENDERED, document_sha256=event.document_sha256)
        case SignatureRequested():
            return replace(contract, status=Status.TO_SIGN, expires_at=event.expires_at)
        case ContractSentToProvider():
            return replace(contract, provider=event.provider)
        case SignatureReminded():
            return replace(contract, reminded=True)
        case ContractSigned():
            return replace(contract, status=Status.SIGNED)
        case ContractDeclined():
            return replace(contract, status=Status.DECLINED)
        case ContractExpired():
            return replace(contract, status=Status.EXPIRED)
        case ContractWithdrawn():
            return replace(contract, status=Status.WITHDRAWN)
        case ContractSealed():
            return replace(contract, status=Status.SEALED)
        case ContractCompleted():
            return replace(contract, completed=True)
        case ContractCustomerNotified():
            return replace(contract, notices=(*contract.notices, event.kind))
