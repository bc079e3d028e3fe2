"""Which commands can be valid at all, whatever the contract's state. Every fault is reported, not only the first."""

import re
from datetime import datetime

from domain.documents.commands import (
    DIGEST_PATTERN,
    MAX_ADDRESS_LENGTH,
    MAX_LINES,
    MAX_NAME_LENGTH,
    MAX_SIZE,
    MAX_TEXT_LENGTH,
    MAX_USER_AGENT_LENGTH,
    ContractCommand,
    ContractItem,
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
from domain.documents.consent import CONSENTS
from domain.model.command_context import CommandContext
from domain.model.currencies import CURRENCIES
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults
from domain.model.money import MAX_AMOUNT

_DIGEST = re.compile(DIGEST_PATTERN[1:-1])


def check(command: ContractCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the order's id."""
    faults = identifier_faults(context.aggregate_id, "/contract_id")
    match command:
        case RequestContract():
            faults += _request_faults(command)
        case RecordRendering():
            faults += _digest_faults(command.document_sha256, "/document_sha256")
            faults += _making_faults(command)
        case RequestSignature():
            faults += _digest_faults(command.document_sha256, "/document_sha256")
            faults += _time_faults(command.expires_at, "/expires_at")
        case SignContract():
            faults += _signing_faults(command)
        case SignByLink():
            faults += _signing_faults(command)
            faults += _origin_faults(command)
        case SendToProvider():
            faults += _digest_faults(command.document_sha256, "/document_sha256")
            faults += identifier_faults(command.provider, "/provider")
        case RecordSignature():
            faults += _signature_faults(command)
        case DeclineContract() | WithdrawContract():
            faults += text_faults(command.reason, "/reason", MAX_TEXT_LENGTH)
        case RecordSeal():
            faults += _digest_faults(command.document_sha256, "/document_sha256")
            faults += _digest_faults(command.sealed_sha256, "/sealed_sha256")
            faults += _size_faults(command.size)
            faults += _digest_faults(command.certificate_sha256, "/certificate_sha256")
        case RecordCompletion():
            faults += _digest_faults(command.document_sha256, "/document_sha256")
            faults += _digest_faults(command.completion_sha256, "/completion_sha256")
            faults += _making_faults(command)
        case RecordNotice():
            faults += identifier_faults(command.kind, "/kind")
            faults += text_faults(command.reference, "/reference", MAX_TEXT_LENGTH)
        case RemindToSign() | ExpireContract():
            pass
    if faults:
        raise InvalidCommand(faults)


def _signing_faults(command: SignContract | SignByLink) -> list[Fault]:
    faults = _digest_faults(command.document_sha256, "/document_sha256")
    faults += text_faults(command.name, "/name", MAX_NAME_LENGTH)
    if not command.consent:
        faults.append(Fault("/consent", "must be true: without consent nothing is signed"))
    return faults


def _signature_faults(command: RecordSignature) -> list[Fault]:
    faults = text_faults(command.request_id, "/request_id", MAX_NAME_LENGTH)
    faults += text_faults(command.name, "/name", MAX_NAME_LENGTH)
    faults += _time_faults(command.signed_at, "/signed_at")
    faults += _size_faults(command.size)
    for name in ("document_sha256", "signed_sha256", "certificate_sha256", "audit_sha256"):
        faults += _digest_faults(getattr(command, name), f"/{name}")
    return faults


def _origin_faults(command: SignByLink) -> list[Fault]:
    faults = []
    if command.consent_version not in CONSENTS:
        faults.append(Fault("/consent_version", f"must be one of {', '.join(sorted(CONSENTS))}"))
    if command.address:
        faults += text_faults(command.address, "/address", MAX_ADDRESS_LENGTH)
    if command.user_agent:
        faults += text_faults(command.user_agent, "/user_agent", MAX_USER_AGENT_LENGTH)
    return faults


def _making_faults(command: RecordRendering | RecordCompletion) -> list[Fault]:
    faults = _size_faults(command.size) + identifier_faults(command.template, "/template")
    if command.template_version < 1:
        faults.append(Fault("/template_version", f"must be at least 1, not {command.template_version}"))
    return faults + text_faults(command.renderer, "/renderer", MAX_NAME_LENGTH)


def _request_faults(command: RequestContract) -> list[Fault]:
    faults = identifier_faults(command.customer_id, "/customer_id")
    faults += text_faults(command.customer_name, "/customer_name", MAX_NAME_LENGTH)
    if command.currency not in CURRENCIES:
        faults.append(Fault("/currency", f"{command.currency[:20]!r} is not an ISO 4217 currency code"))
    if not 1 <= len(command.lines) <= MAX_LINES:
        faults.append(Fault("/lines", f"must be 1 to {MAX_LINES} lines, not {len(command.lines)}"))
    for number, item in enumerate(command.lines[:MAX_LINES]):
        faults += _item_faults(item, f"/lines/{number}")
    expected = sum(item.total for item in command.lines)
    if command.total != expected or not 0 <= command.total <= MAX_AMOUNT:
        faults.append(Fault("/total", f"must be that of the lines, {expected}, and at most {MAX_AMOUNT}"))
    faults += _time_faults(command.ordered_at, "/ordered_at")
    faults += _time_faults(command.confirmed_at, "/confirmed_at")
    return faults


def _item_faults(item: ContractItem, pointer: str) -> list[Fault]:
    faults = identifier_faults(item.sku, f"{pointer}/sku")
    for name in ("quantity", "unit_price", "discount", "total"):
        amount = getattr(item, name)
        if not 0 <= amount <= MAX_AMOUNT:
            faults.append(Fault(f"{pointer}/{name}", f"must be 0 to {MAX_AMOUNT}, not {amount}"))
    return faults


def _digest_faults(value: str, pointer: str) -> list[Fault]:
    if _DIGEST.fullmatch(value):
        return []
    return [Fault(pointer, "must be a SHA-256: 64 hexadecimal digits in lower case")]


def _size_faults(size: int) -> list[Fault]:
    return [] if 1 <= size <= MAX_SIZE else [Fault("/size", f"must be 1 to {MAX_SIZE} bytes, not {size}")]


def _time_faults(time: datetime, pointer: str) -> list[Fault]:
    return [] if time.tzinfo is not None else [Fault(pointer, "must have a time zone")]
