"""What the log tells of all orders: every aggregate, every process, and whether anything is still to happen."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from application.notifying.messages import MESSAGES
from domain.inventory.aggregate import STOCK
from domain.notifications.aggregate import NOTIFICATION
from domain.notifications.notifications import Status as NotificationStatus
from domain.ordering.aggregate import ORDER
from domain.ordering.order import Order
from domain.ordering.order import Status as OrderStatus
from domain.payments.aggregate import PAYMENT
from domain.payments.payment import OPEN, Payment
from domain.payments.payment import Status as PaymentStatus
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.personal_data import PersonalKeys
from process_manager.instances.instance import Instance
from tests.end_to_end.saga_services import application

SHIPPED = ("ships", "settles-later")
"""The customers whose orders the warehouse ships; it leaves the others waiting."""
REGRETTING = ("regrets", "refund")
"""Those who cancel once the order is confirmed."""

_AGGREGATES = {one.category: one for one in (ORDER, STOCK, PAYMENT, NOTIFICATION)}
_E = TypeVar("_E")


class SagaLog:
    """Folded event by event as far as it has been read; `states` are by category and id."""

    def __init__(self, log: EventStore, patience: float, keys: PersonalKeys) -> None:
        chosen = application(patience)
        (self.process,) = chosen.processes
        self.instances: dict[str, Instance] = {}
        self.states: dict[tuple[str, str], Any] = {}
        self.events: list[Any] = []
        self.position: int | None = None
        self._codec = EventCodec(chosen.aggregates, chosen.processes, keys)
        self._log = log

    async def catch_up(self) -> None:
        """Reads what is new. Raises EventStoreUnavailable."""
        async for stored in self._log.read_all(self.position):
            if self.position is not None and stored.position <= self.position:
                continue  # another reader was faster
            self.position = stored.position
            if not self._codec.is_ours(stored):
                continue
            category, _, name = stored.stream.partition("-")
            if category == self.process.name:
                self.instances.setdefault(name, Instance(self.process, name)).take(stored, self._codec)
            elif category in _AGGREGATES:
                event = (await self._codec.decoder([stored]))(stored).event
                evolve = _AGGREGATES[category].evolve
                self.states[category, name] = evolve(self.states.get((category, name)), event)
                self.events.append(event)

    def of(self, kind: type[_E]) -> list[_E]:
        """Every event of a type."""
        return [event for event in self.events if isinstance(event, kind)]

    def order(self, order: str) -> Order:
        state: Order = self.states["order", order]
        return state

    def payment(self, order: str) -> Payment | None:
        return self.states.get(("payment", order))

    def notified(self) -> Counter[tuple[str, str]]:
        """Every event that a customer is told of: the order and the kind of message."""
        return Counter((event.order_id, MESSAGES[type(event)].kind) for event in self.events if type(event) in MESSAGES)

    def unsettled(self, orders: Sequence[str]) -> list[str]:
        """What is under way, in words; at most ten."""
        found = [f"{order}: {what}" for order in orders if (what := self._under_way(order))]
        told = {
            (order, kind)
            for (category, order), state in self.states.items()
            if category == NOTIFICATION.category
            for kind, status in state.messages.items()
            if status is not NotificationStatus.REQUESTED
        }
        found += [f"{order}: {kind} is not told" for order, kind in self.notified() if (order, kind) not in told]
        return found[:10]

    def _under_way(self, order: str) -> str:
        instance, payment = self.instances.get(order), self.payment(order)
        if instance is None:
            return "no process has begun"
        if instance.open_commands or instance.undecided:
            return f"{sorted(instance.open_steps)} are open, {sorted(instance.undecided)} undecided"
        if payment is not None and payment.status in (*OPEN, PaymentStatus.REFUNDING):
            return f"the payment is {payment.status}"
        if instance.outcome or instance.stuck:
            return ""
        status, customer = self.order(order).status, self.order(order).customer_id
        waits_for_shipment = status is OrderStatus.CONFIRMED and not instance.state.failure
        if waits_for_shipment and not customer.startswith((*SHIPPED, *REGRETTING)):
            return ""
        return f"the order is {status}, the fulfilment {instance.state}"
