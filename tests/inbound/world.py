"""Messages, and what handles them over stores and commands in memory."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from application import APPLICATION
from domain.customers.aggregate import CUSTOMER
from domain.inventory.aggregate import STOCK
from inbound.carrying_out import CarryingOut
from inbound.dead_letters import DeadLetterStore
from inbound.desk import InboundDesk
from inbound.gates import Gates
from inbound.handling import Handler
from inbound.inbox import Inbox
from inbound.reading import Reader
from inbound.retrying import SourceParts
from inbound.sources import Source, SourceLimits
from infrastructure.inbound.messages import DeadLetterNotice, IncomingMessage
from infrastructure.outside.command_routes import CommandRoutes
from infrastructure.outside.commands import CommandAnswer
from infrastructure.resilience import DependencyUnavailable, Limits, Policy
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.memory_commands import MemoryCommands
from tests.support.memory_event_store import MemoryEventStore

WAREHOUSE = Source(
    name="warehouse",
    kind="kafka",
    url="kafka://nowhere:1/deliveries",
    dead_letters="deliveries.dead",
    types=("warehouse.*",),
    ignore=("warehouse.heartbeat.*",),
    limits=SourceLimits(max_bytes=10_000),
)
CRM = Source(
    name="crm",
    kind="rabbitmq",
    url="amqp://nowhere/",
    queue="customers",
    dead_letters="customers.dead",
    types=("crm.*",),
)
V1, V2, CHANGED = "warehouse.stock-delivered.v1", "warehouse.stock-delivered.v2", "crm.customer-changed.v1"


def message(
    cloud_type: str, data: Any, event_id: str = "m-1", *, key: str = "", offset: int = 0, **attributes: str
) -> IncomingMessage:
    """A message in the binary mapping; `data` is JSON already where it is bytes. An attribute that is "" is left
    out."""
    said = {"specversion": "1.0", "id": event_id, "source": "urn:test", "type": cloud_type, **attributes}
    return IncomingMessage(
        queue="deliveries",
        body=data if isinstance(data, bytes) else json.dumps(data).encode(),
        headers={f"ce_{name}": value for name, value in said.items() if value},
        content_type="application/json",
        key=key,
        partition=0,
        offset=offset,
    )


def delivery(event_id: str, sku: str = "tea", quantity: int = 1, **given: Any) -> IncomingMessage:
    """Some of one article came in."""
    return message(V1, {"delivery_id": event_id, "sku": sku, "quantity": quantity}, event_id, **{"key": sku, **given})


def customer(event_id: str, name: str, customer_id: str = "ada", **given: Any) -> IncomingMessage:
    """The CRM's customer as it is now."""
    data = {"customer_id": customer_id, "name": name, "email": f"{customer_id}@example.com"}
    return message(CHANGED, data, event_id, **{"key": customer_id, **given})


class Commands(MemoryCommands):
    """As the command API: what was accepted is known again, what was refused is decided again. Commands for what
    is `unserved` are answered 500."""

    unserved: frozenset[str] = frozenset()

    async def send(self, *args: Any, **given: Any) -> CommandAnswer:
        if args[1] in self.unserved:
            raise DependencyUnavailable("commands", "500", alone=True)
        answer = await super().send(*args, **given)
        if not answer.accepted:
            self._answers = {place: one for place, one in self._answers.items() if one.accepted}
        return answer


class Written:
    """Dead letters as they were written; `before` and `after` are called for each, before and after."""

    def __init__(self) -> None:
        self.policy = Policy("tests_dead_letters", Limits())
        self.letters: list[tuple[IncomingMessage, dict[str, str]]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    async def write(self, incoming: IncomingMessage, notice: DeadLetterNotice) -> None:
        self.before()
        self.letters.append((incoming, dict(notice.headers)))
        self.after()

    async def close(self) -> None: ...

    @property
    def classes(self) -> list[str]:
        """Why each was."""
        return [headers["eventfold-error-class"] for _, headers in self.letters]


def at_once() -> Iterator[float]:
    """Pauses of none."""
    while True:
        yield 0.0


class World:
    """One source. A process is a `handler`; `restart` makes another, which remembers nothing."""

    def __init__(self, source: Source = WAREHOUSE) -> None:
        self.source = source
        self.store = MemoryReadStore()
        self.commands = Commands(STOCK, CUSTOMER)
        self.written = Written()
        self.inbox, self.gates = Inbox(self.store), Gates(self.store)
        self.dead_letters = DeadLetterStore(self.store)
        self.reader = Reader(source, APPLICATION.inbound)
        self.carrying = CarryingOut(self.commands, CommandRoutes(APPLICATION.aggregates), self.inbox)
        self.audit_log = MemoryEventStore()
        parts = [SourceParts(source, self.reader, self.carrying)]
        self.desk = InboundDesk(parts, self.inbox, self.gates, self.dead_letters, self.audit_log)
        self.operations = self.desk.letters
        self.released = asyncio.Event()
        self.clock = 0.0
        self.restart()

    def restart(self) -> None:
        """Another process."""
        self.handler = Handler(
            self.source,
            self.reader,
            self.inbox,
            self.gates,
            self.dead_letters,
            self.carrying,
            self.written,
            delays=at_once,
            clock=lambda: self.clock,
        )

    async def handle(self, *messages: IncomingMessage) -> None:
        """One after another."""
        for one in messages:
            assert await self.handler.handle(one, self.released)

    async def state(self, one: IncomingMessage) -> str:
        """What the inbox says of a message."""
        entry = await self.inbox.find(self.reader.arrival(one).id)
        return entry.state if entry else "-"

    def on_hand(self, sku: str = "tea") -> int:
        """How much there is of an article."""
        events = self.commands.events.get(f"stock-{sku}", [])
        return int(events[-1].on_hand) if events else 0

    def customer(self, customer_id: str = "ada") -> list[Any]:
        """What has happened to a customer."""
        return self.commands.events.get(f"customer-{customer_id}", [])

    async def letters(self) -> list[tuple[str, str, int]]:
        """The open dead letters: key, class, whether it failed itself."""
        return [(one.key, one.error_class, one.first) async for one in self.dead_letters.all(None)]
