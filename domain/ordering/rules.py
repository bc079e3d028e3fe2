"""Which commands can be valid at all, whatever the order's state. Every fault is reported, not only the first."""

from datetime import UTC, datetime

from domain.model.command_context import CommandContext
from domain.model.currencies import CURRENCIES
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults
from domain.model.money import MAX_AMOUNT
from domain.ordering.commands import (
    MAX_LINES,
    MAX_QUANTITY,
    MAX_SKU_LENGTH,
    MAX_TEXT_LENGTH,
    CancelOrder,
    OrderCommand,
    OrderLine,
    PlaceOrder,
    ShipOrder,
)

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


def check(command: OrderCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the order's id."""
    faults = identifier_faults(context.aggregate_id, "/order_id")
    if isinstance(command, PlaceOrder):
        faults += _place_order_faults(command)
    elif isinstance(command, ShipOrder):
        faults += text_faults(command.carrier, "/carrier", MAX_TEXT_LENGTH)
        faults += text_faults(command.tracking_number, "/tracking_number", MAX_TEXT_LENGTH)
    elif isinstance(command, CancelOrder):
        faults += text_faults(command.reason, "/reason", MAX_TEXT_LENGTH)
    if faults:
        raise InvalidCommand(faults)


def _place_order_faults(command: PlaceOrder) -> list[Fault]:
    faults = identifier_faults(command.customer_id, "/customer_id")
    if command.currency not in CURRENCIES:
        faults.append(Fault("/currency", f"{command.currency[:20]!r} is not an ISO 4217 currency code"))
    if command.ordered_at is not None and not EARLIEST <= command.ordered_at < LATEST:
        faults.append(Fault("/ordered_at", "must lie between the years 1970 and 9998"))
    if not command.lines:
        faults.append(Fault("/lines", "an order has at least one line"))
    if len(command.lines) > MAX_LINES:
        return [*faults, Fault("/lines", f"an order has at most {MAX_LINES} lines, not {len(command.lines)}")]
    for index, line in enumerate(command.lines):
        faults += _line_faults(line, f"/lines/{index}")
    if not faults and sum(line.total for line in command.lines) > MAX_AMOUNT:
        faults.append(Fault("/lines", f"the order's total is above {MAX_AMOUNT}"))
    return faults


def _line_faults(line: OrderLine, pointer: str) -> list[Fault]:
    faults = text_faults(line.sku, f"{pointer}/sku", MAX_SKU_LENGTH)
    if not 1 <= line.quantity <= MAX_QUANTITY:
        faults.append(Fault(f"{pointer}/quantity", f"must be 1 to {MAX_QUANTITY}, not {line.quantity}"))
    if not 0 <= line.unit_price <= MAX_AMOUNT:
        faults.append(Fault(f"{pointer}/unit_price", f"must be 0 to {MAX_AMOUNT}, not {line.unit_price}"))
    if not faults and not 0 <= line.discount <= line.gross:
        detail = f"must be between 0 and the line's gross amount of {line.gross}, not {line.discount}"
        faults.append(Fault(f"{pointer}/discount", detail))
    return faults
