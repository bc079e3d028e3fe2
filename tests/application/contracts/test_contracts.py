"""From an order that was confirmed to a contract that can be signed, whatever fails between any two steps: over a log,
commands and stores in memory."""

from datetime import UTC, datetime
from typing import Any

import pytest

from application.contracts.drawing_up import ContractRequests
from application.contracts.history import Step
from application.contracts.remembered import Remembered
from application.contracts.steps import ContractSteps
from domain.customers.events import CustomerForgotten, CustomerRegistered, CustomerRenamed
from domain.documents.aggregate import CONTRACT
from domain.documents.events import (
    ContractCustomerNotified,
    ContractRendered,
    ContractRequested,
    ContractWithdrawn,
    SignatureRequested,
)
from domain.notifications.events import NotificationSent
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated
from infrastructure.document_store import digest_of
from infrastructure.outside.pdf import RenderFailed
from infrastructure.outside.signing import Sealed
from infrastructure.resilience import DependencyUnavailable
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import at_once, consume_all
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, stream_of
from tests.support.logs import LogBuilder
from tests.support.memory_commands import MemoryCommands
from tests.support.memory_documents import MemoryDocumentStore, PlainRenderer

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
AWAY = DependencyUnavailable("commands", "away")
REGISTERED = CustomerRegistered("ada", "Ada Lovelace", "ada@example.com", None, NOON)
CREATED = OrderCreated("o-1", "ada", "USD", [Line("tea", 1, 500, 0, 500)], 1, 500, NOON, NOON)
CONFIRMED = OrderConfirmed("o-1", "ada", NOON)
CANCELLED = OrderCancelled("o-1", "ada", "USD", 500, NOON, "no stock", NOON)


def log_of(*events: Any) -> ScriptedLog:
    log = LogBuilder(CODEC)
    for event in events:
        log.add(stream_of(event), event)
    return ScriptedLog(log.events)


class World:
    """Contracts and a document store; consumers come and go. What contracts tell is what the next consumer follows."""

    def __init__(self) -> None:
        self.commands = MemoryCommands(CONTRACT)
        self.documents = MemoryDocumentStore()
        self.renderer: Any = PlainRenderer()
        self.store = MemoryReadStore()

    @property
    def events(self) -> list[Any]:
        return self.commands.events.get("contract-o-1", [])

    @property
    def names(self) -> list[str]:
        return [type(one).__name__ for one in self.events]

    async def ordered(self, *events: Any, documents: bool = True) -> None:
        """Runs the consumer of orders, over what earlier ones have left."""
        consumer = ContractRequests(self.commands, Remembered(self.store), documents=documents, delays=at_once)
        await consume_all(log_of(*events), self.store, consumer, codec=CODEC)

    async def followed(self, *events: Any) -> None:
        """Runs the consumer of contracts over some events, else over those of the contract, until no more follow."""
        seen = -1
        while seen != len(self.events):
            seen = len(self.events)
            consumer = ContractSteps(self.commands, lambda: self.renderer, self.documents, delays=at_once)
            await consume_all(log_of(*(events or self.events)), MemoryReadStore(), consumer, codec=CODEC)


async def test_a_confirmed_order_comes_to_a_contract_that_can_be_signed() -> None:
    world = World()
    await world.ordered(REGISTERED, CREATED, CONFIRMED)
    (requested,) = world.events
    assert isinstance(requested, ContractRequested)
    assert (requested.customer_name, requested.total, requested.lines[0].sku) == ("Ada Lovelace", 500, "tea")
    await world.followed()
    assert world.names == ["ContractRequested", "ContractRendered", "SignatureRequested"]
    _, rendered, to_sign = world.events
    document = await world.documents.get(rendered.document_sha256)
    assert rendered.size == len(document)
    assert (rendered.template, rendered.template_version, rendered.renderer) == ("order-contract", 1, "plain 1")
    assert b"Ada Lovelace" in document
    assert to_sign.document_sha256 == digest_of(document)
    assert (to_sign.expires_at - rendered.rendered_at).days == 14


async def test_the_name_is_the_one_of_the_moment_and_without_one_it_is_the_number() -> None:
    world = World()
    await world.ordered(REGISTERED, CustomerRenamed("ada", "Ada King", NOON), CREATED, CONFIRMED)
    assert world.events[0].customer_name == "Ada King"
    unknown = World()
    await unknown.ordered(CREATED, CONFIRMED)
    assert unknown.events[0].customer_name == "ada"


async def test_who_was_forgotten_gets_no_contract() -> None:
    world = World()
    await world.ordered(REGISTERED, CREATED, CustomerForgotten("ada", NOON), CONFIRMED)
    assert world.events == []


async def test_an_order_that_is_cancelled_takes_its_contract_back() -> None:
    world = World()
    await world.ordered(CREATED, CONFIRMED)
    await world.followed()
    await world.ordered(CREATED, CONFIRMED, CANCELLED)
    assert isinstance(world.events[-1], ContractWithdrawn)
    early = World()
    await early.ordered(CREATED, CANCELLED)
    assert early.events == []


async def test_an_order_whose_beginning_is_not_known_is_parked_with_its_reason() -> None:
    world = World()
    await world.ordered(CONFIRMED)
    (parked,) = world.store.documents("parked_events").values()
    assert "order o-1 was confirmed, and it is not known what was ordered" in parked["error"]


async def test_without_a_document_store_nothing_is_requested() -> None:
    world = World()
    await world.ordered(CREATED, CONFIRMED, documents=False)
    assert world.events == []


async def test_that_a_mail_went_out_is_recorded_once_and_other_mails_are_not() -> None:
    world = World()
    await world.ordered(CREATED, CONFIRMED)
    await world.followed()
    mails = [NotificationSent("o-1", kind, "<1@shop>", 1, NOON) for kind in ("order-confirmed", "contract-to-sign")]
    await world.followed(*mails)
    (told,) = [one for one in world.events if isinstance(one, ContractCustomerNotified)]
    assert (told.kind, told.document_sha256) == ("contract-to-sign", world.events[1].document_sha256)


async def test_a_document_that_cannot_be_made_is_parked_with_its_reason_and_holds_up_nobody() -> None:
    class Refusing(PlainRenderer):
        async def render(self, *_: Any) -> bytes:
            raise RenderFailed("order-contract, version 1: no font has U+674E")

    world = World()
    world.renderer = Refusing()
    await world.ordered(CREATED, CONFIRMED)
    store = MemoryReadStore()
    consumer = ContractSteps(world.commands, lambda: world.renderer, world.documents, delays=at_once)
    await consume_all(log_of(*world.events), store, consumer, codec=CODEC)
    (parked,) = store.documents("parked_events").values()
    assert "no font has U+674E" in parked["error"]
    assert world.names == ["ContractRequested"]


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("when", ["before", "after"])
async def test_whatever_fails_between_two_steps_each_step_is_there_once(at: int, when: str) -> None:
    """The command API breaks at its n-th command, before or after it has taken effect; then all is done again."""
    world = World()
    calls = iter(range(1_000_000))

    def break_once(_action: str) -> None:
        if next(calls) == at:
            raise AWAY

    setattr(world.commands, when, break_once)
    for _ in range(3):
        await world.ordered(REGISTERED, CREATED, CONFIRMED)
        await world.followed()
    assert world.names == ["ContractRequested", "ContractRendered", "SignatureRequested"]
    assert [type(one) for one in world.events] == [ContractRequested, ContractRendered, SignatureRequested]
    assert set(world.documents.documents) == {world.events[1].document_sha256}


async def test_what_is_sealed_gets_a_certificate_of_completion_and_the_same_events_give_the_same_one() -> None:
    class Sealing:
        async def seal(self, document: bytes, reason: str) -> Sealed:
            return Sealed(document + reason.encode(), "c" * 64)

    world = World()

    async def history(_order_id: str, revision: int) -> list[Step]:
        return [Step(event, number, "ada") for number, event in enumerate(world.events[: revision + 1])]

    async def once(seal: Any) -> None:
        consumer = ContractSteps(
            world.commands, lambda: world.renderer, world.documents, seal=seal, history=history, delays=at_once
        )
        await consume_all(log_of(*world.events), MemoryReadStore(), consumer, codec=CODEC)

    await world.ordered(CREATED, CONFIRMED)
    await world.followed()
    body = {"document_sha256": world.events[1].document_sha256, "name": "Ada Lovelace", "consent": True}
    assert (await world.commands.send("contracts", "o-1", "sign", body, key="k")).accepted
    for _ in range(3):
        await once(Sealing)
    assert world.names[-2:] == ["ContractSealed", "ContractCompleted"]
    completed = world.events[-1]
    content = await world.documents.get(completed.completion_sha256)
    assert (completed.size, completed.template, completed.template_version) == (len(content), "order-completion", 1)
    for said in (b"Ada Lovelace", body["document_sha256"].encode(), world.events[-2].sealed_sha256.encode()):
        assert said in content
    assert set(world.documents.subjects.values()) == {"customer/ada"}
    before = set(world.documents.documents)
    world.commands.events["contract-o-1"].pop()
    world.commands = again(world.commands)
    await once(Sealing)
    assert set(world.documents.documents) == before, "the same events gave another certificate"
    # Without a key that seals, the signature itself completes it.
    unsealed = World()
    unsealed.commands = again(world.commands)
    del unsealed.events[4:]
    world = unsealed
    await unsealed.documents.put(b"the contract", "customer/ada")
    await once(None)
    assert unsealed.names[-2:] == ["ContractSigned", "ContractCompleted"]


def again(commands: MemoryCommands) -> MemoryCommands:
    """The same events, and no memory of the commands that made them."""
    made = MemoryCommands(CONTRACT)
    made.events = {stream: list(events) for stream, events in commands.events.items()}
    return made


async def test_a_contract_of_who_was_forgotten_is_neither_sealed_nor_completed() -> None:
    class Sealing:
        async def seal(self, document: bytes, reason: str) -> Sealed:
            raise AssertionError("there is nothing to seal")

    world = World()
    await world.ordered(CREATED, CONFIRMED)
    await world.followed()
    body = {"document_sha256": world.events[1].document_sha256, "name": "Ada Lovelace", "consent": True}
    await world.commands.send("contracts", "o-1", "sign", body, key="k")
    world.documents.forgotten.add("customer/ada")
    store = MemoryReadStore()
    consumer = ContractSteps(world.commands, lambda: world.renderer, world.documents, seal=Sealing, delays=at_once)
    await consume_all(log_of(*world.events), store, consumer, codec=CODEC)
    assert world.names[-1] == "ContractSigned"
    assert not store.documents("parked_events")


async def test_what_is_signed_is_sealed_and_what_the_customer_has_read_stays_as_it_is() -> None:
    class Sealing:
        async def seal(self, document: bytes, reason: str) -> Sealed:
            return Sealed(document + reason.encode(), "c" * 64)

    world = World()
    await world.ordered(CREATED, CONFIRMED)
    await world.followed()
    digest = world.events[1].document_sha256
    body = {"document_sha256": digest, "name": "Ada Lovelace", "consent": True}
    assert (await world.commands.send("contracts", "o-1", "sign", body, key="k")).accepted
    await world.followed()
    assert world.names[-1] == "ContractSigned", "without a key nothing is sealed"
    consumer = ContractSteps(
        world.commands, lambda: world.renderer, world.documents, seal=lambda: Sealing(), delays=at_once
    )
    await consume_all(log_of(*world.events), MemoryReadStore(), consumer, codec=CODEC)
    sealed = world.events[-1]
    assert (sealed.document_sha256, sealed.certificate_sha256) == (digest, "c" * 64)
    assert b"under the name Ada Lovelace" in await world.documents.get(sealed.sealed_sha256)
    assert digest in world.documents.documents
