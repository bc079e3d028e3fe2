"""The consumer `contract_requests`: an order that was confirmed gets a contract; one that was cancelled loses it.

The request says all that the contract will say, so that whatever follows needs no other place to look.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from application.contracts.records import record
from application.contracts.remembered import REMEMBERED, Remembered
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import OrderCancelled, OrderConfirmed
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.read_store import ReadStore
from infrastructure.resilience import Policy, backoff
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side
from subscriptions.store.retrying_store import Delays

log = structlog.get_logger(__name__)


class OrderUnknown(Exception):
    """An order was confirmed whose beginning this consumer has not seen."""


class ContractRequests(Consumer):
    """Each customer's events in order, `at_once` customers side by side. Without `documents` it remembers, and requests
    nothing: contracts are drawn up for what is confirmed from then on."""

    name = "contract_requests"
    version = 1
    events: frozenset[type[Struct]] = REMEMBERED | {OrderConfirmed, OrderCancelled}

    def __init__(
        self,
        commands: CommandSender,
        remembered: Remembered,
        *,
        documents: bool = True,
        at_once: int = 8,
        delays: Delays = backoff,
        closers: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._commands = commands
        self._remembered = remembered
        self._documents = documents
        self._at_once = at_once
        self._delays = delays
        self._closers = closers

    def keys(self, event: Any) -> tuple[str, ...]:
        """The customer."""
        return (event.customer_id,)

    async def prepare(self) -> None:
        await self._remembered.prepare()

    async def take(self, batch: Batch) -> None:
        """Remembers, and requests or withdraws."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once, delays=self._delays)

    def outside(self) -> Sequence[Policy]:
        """Of the command API."""
        return [self._commands.policy] if isinstance(self._commands, CommandClient) else []

    async def close(self) -> None:
        for close in self._closers:
            await close()

    async def _handle(self, recorded: RecordedEvent[Any], customer_id: str) -> None:
        event = recorded.event
        if type(event) in REMEMBERED:
            await self._remembered.remember(recorded)
        elif not self._documents:
            return
        elif isinstance(event, OrderConfirmed):
            await self._request(event, customer_id, f"{event.order_id}-{recorded.revision}")
        else:
            await self._withdraw(event, f"{event.order_id}-{recorded.revision}")

    async def _request(self, event: OrderConfirmed, customer_id: str, cause: str) -> None:
        order = await self._remembered.order(event.order_id)
        if order is None:
            raise OrderUnknown(f"order {event.order_id} was confirmed, and it is not known what was ordered")
        customer = await self._remembered.customer(customer_id)
        if customer is not None and customer.name is None:
            note({"eventfold.contract": "forgotten"})
            return  # nobody is left to agree to anything
        body = {
            "customer_id": customer_id,
            "customer_name": customer_id if customer is None else customer.name,
            "currency": order.currency,
            "lines": msgspec.to_builtins(order.lines),
            "total": order.total,
            "ordered_at": order.ordered_at,
            "confirmed_at": msgspec.to_builtins(event.confirmed_at),
        }
        passed = frozenset({"contract-exists"})
        await record(self._commands, event.order_id, "request", body, cause=cause, passed=passed)

    async def _withdraw(self, event: OrderCancelled, cause: str) -> None:
        """One that was signed already stands: who cancels then has to settle it with the customer."""
        body = {"reason": "the order was cancelled"}
        passed = frozenset({"not-found"})  # it was cancelled before it was confirmed
        await record(self._commands, event.order_id, "withdraw", body, cause=cause, passed=passed)


def contract_requests(store: ReadStore, calls: Calls) -> ContractRequests:
    """The consumer over the command API that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, ContractRequests.name, calls=calls)
    if not settings.documents.store:
        log.warning("no contracts are drawn up: EVENTFOLD_DOCUMENT_STORE is not set")
    return ContractRequests(
        commands, Remembered(store), documents=bool(settings.documents.store), closers=(commands.close,)
    )
