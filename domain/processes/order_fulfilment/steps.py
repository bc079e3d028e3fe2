"""The steps of the fulfilment of an order, as commands to the contexts."""

from domain.inventory.commands import ReleaseStock, ReserveStock, ShipOutStock
from domain.model.process import Command
from domain.ordering.commands import CancelOrder, ConfirmOrder
from domain.payments.commands import RequestCharge, VoidPayment
from domain.processes.order_fulfilment.fulfilment import Fulfilment

RESERVE, CHARGE, CONFIRM = "reserve", "charge", "confirm"
"""The way forward."""
VOID, RELEASE, CANCEL = "void", "release", "cancel"
"""The way back."""
SHIP_OUT = "ship-out"
"""After the point from which there is no way back."""

TOO_LATE_TO_CANCEL = "order-not-pending-or-confirmed"
"""The code of the refusal to cancel an order that is cancelled already, or shipped."""

_ALREADY_VOID = frozenset(
    {
        "payment-is-declined",
        "payment-is-voided",
        "payment-is-refunding",
        "payment-is-refunded",
        "not-found",
        "deleted",
    }
)
_GONE = frozenset({"not-found", "deleted"})


def parts(step: str) -> tuple[str, str]:
    """What kind of step it is, and which article it concerns, if it concerns one."""
    kind, _, sku = step.partition(":")
    return kind, sku


def is_forward(step: str) -> bool:
    return parts(step)[0] in (RESERVE, CHARGE, CONFIRM)


def reserve(fulfilment: Fulfilment, sku: str) -> Command:
    quantity = fulfilment.stock[sku].quantity
    command = ReserveStock(fulfilment.order_id, quantity)
    return Command(f"{RESERVE}:{sku}", "stock", sku, command, satisfied_by=frozenset({"already-reserved"}))


def charge(fulfilment: Fulfilment) -> Command:
    command = RequestCharge(fulfilment.customer_id, fulfilment.currency, fulfilment.total)
    satisfied_by = frozenset({"payment-exists"})
    return Command(CHARGE, "payment", fulfilment.order_id, command, satisfied_by=satisfied_by)


def confirm(fulfilment: Fulfilment) -> Command:
    return Command(CONFIRM, "order", fulfilment.order_id, ConfirmOrder())


def void(fulfilment: Fulfilment) -> Command:
    command = VoidPayment(fulfilment.failure)
    return Command(VOID, "payment", fulfilment.order_id, command, compensation=True, satisfied_by=_ALREADY_VOID)


def release(fulfilment: Fulfilment, sku: str) -> Command:
    command = ReleaseStock(fulfilment.order_id, fulfilment.failure)
    satisfied_by = _GONE | {"nothing-reserved"}
    return Command(f"{RELEASE}:{sku}", "stock", sku, command, compensation=True, satisfied_by=satisfied_by)


def cancel(fulfilment: Fulfilment) -> Command:
    command = CancelOrder(fulfilment.failure)
    satisfied_by = _GONE | {TOO_LATE_TO_CANCEL}  # whether it is cancelled or shipped, its own events tell
    return Command(CANCEL, "order", fulfilment.order_id, command, compensation=True, satisfied_by=satisfied_by)


def ship_out(fulfilment: Fulfilment, sku: str) -> Command:
    command = ShipOutStock(fulfilment.order_id)
    return Command(f"{SHIP_OUT}:{sku}", "stock", sku, command, compensation=True)
