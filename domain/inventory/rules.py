"""Which commands can be valid at all, whatever the stock. Every fault is reported, not only the first."""

from domain.inventory.commands import (
    MAX_QUANTITY,
    MAX_REASON_LENGTH,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    StockCommand,
)
from domain.model.command_context import CommandContext
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults


def check(command: StockCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the article's number."""
    faults = identifier_faults(context.aggregate_id, "/stock_id")
    if not isinstance(command, ReceiveStock):
        faults += identifier_faults(command.order_id, "/order_id")
    if isinstance(command, ReceiveStock | ReserveStock) and not 1 <= command.quantity <= MAX_QUANTITY:
        faults.append(Fault("/quantity", f"must be 1 to {MAX_QUANTITY}, not {command.quantity}"))
    if isinstance(command, ReleaseStock):
        faults += text_faults(command.reason, "/reason", MAX_REASON_LENGTH)
    if faults:
        raise InvalidCommand(faults)
