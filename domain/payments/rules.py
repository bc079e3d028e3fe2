"""Which commands can be valid at all, whatever the payment's state. Every fault is reported, not only the first."""

from domain.model.command_context import CommandContext
from domain.model.currencies import CURRENCIES
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults
from domain.model.money import MAX_AMOUNT
from domain.payments.commands import (
    MAX_REFERENCE_LENGTH,
    MAX_TEXT_LENGTH,
    PaymentCommand,
    RecordCharge,
    RecordDecline,
    RecordRefund,
    RecordRefundFailure,
    RecordSettling,
    RequestCharge,
    VoidPayment,
)


def check(command: PaymentCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the order's id."""
    faults = identifier_faults(context.aggregate_id, "/payment_id")
    match command:
        case RequestCharge():
            faults += identifier_faults(command.customer_id, "/customer_id")
            faults += _money_faults(command.currency, command.amount)
        case RecordCharge():
            faults += text_faults(command.charge_id, "/charge_id", MAX_REFERENCE_LENGTH)
            faults += _money_faults(command.currency, command.amount)
        case RecordSettling():
            faults += text_faults(command.charge_id, "/charge_id", MAX_REFERENCE_LENGTH)
        case RecordRefund():
            faults += text_faults(command.refund_id, "/refund_id", MAX_REFERENCE_LENGTH)
        case RecordDecline() | VoidPayment() | RecordRefundFailure():
            faults += text_faults(command.reason, "/reason", MAX_TEXT_LENGTH)
    if faults:
        raise InvalidCommand(faults)


def _money_faults(currency: str, amount: int) -> list[Fault]:
    faults = []
    if currency not in CURRENCIES:
        faults.append(Fault("/currency", f"{currency[:20]!r} is not an ISO 4217 currency code"))
    if not 1 <= amount <= MAX_AMOUNT:
        faults.append(Fault("/amount", f"must be 1 to {MAX_AMOUNT}, not {amount}"))
    return faults
