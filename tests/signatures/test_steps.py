"""What the consumer does with each event, over commands, a provider and stores in memory: one case each."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from application.contracts.provider_records import ProviderRecords
from application.contracts.signers import Signers
from application.contracts.signing import ContractSigning, WrongRequest
from domain.customers.events import CustomerEmailChanged, CustomerForgotten, CustomerRegistered, CustomerRenamed
from domain.documents.aggregate import CONTRACT
from domain.documents.contract import Status
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.model.recorded_event import RecordedEvent
from infrastructure.outside.signatures import RefusedBySignatureProvider
from infrastructure.outside.signatures.received import DocumentRefused, ReceivedDocument
from infrastructure.resilience import DependencyUnavailable
from tests.payments.memory_commands import NOON, MemoryCommands
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.memory_documents import MemoryDocumentStore
from tests.support.memory_signature_provider import MemorySignatureProvider

DOCUMENT = b"%PDF a contract"
DIGEST = hashlib.sha256(DOCUMENT).hexdigest()
LATER = NOON + timedelta(days=14)


async def checked(_original: bytes, signed: bytes, expected: str, _authorities: Path) -> ReceivedDocument:
    return ReceivedDocument(signed, expected, "c" * 64)


async def refused(_original: bytes, _signed: bytes, _expected: str, _authorities: Path) -> ReceivedDocument:
    raise DocumentRefused("it is another")


class World:
    """A contract that can be signed until LATER; `at` is the consumer's and the provider's time."""

    def __init__(self, check: Any = checked) -> None:
        self.at = NOON
        self.commands = MemoryCommands(CONTRACT, SIGNATURE_RESULTS)
        self.provider = MemorySignatureProvider(clock=lambda: self.at)
        self.documents = MemoryDocumentStore()
        records = ProviderRecords(
            self.commands, self.provider, self.documents, Path("ca.pem"), check=check, clock=lambda: self.at
        )
        signers = Signers(MemoryReadStore(), "customers.example")
        self.consumer = ContractSigning(
            self.commands, signers, self.provider, self.documents, records, now=lambda: self.at
        )
        self.place = self.told_of = 0

    async def command(self, action: str, **body: Any) -> None:
        answer = await self.commands.send("contracts", "o-1", action, body, key=action)
        assert answer.accepted, answer

    async def drawn_up(self) -> "World":
        await self.documents.put(DOCUMENT, "customer/ada")
        await self.consumer.prepare()
        at = msgspec.to_builtins(NOON)
        line = {"sku": "apple", "quantity": 1, "unit_price": 5, "discount": 0, "total": 5}
        about = {"customer_id": "ada", "customer_name": "Ada", "currency": "USD", "lines": [line], "total": 5}
        await self.command("request", **about, ordered_at=at, confirmed_at=at)
        made = {"template": "order-contract", "template_version": 1, "renderer": "a", "size": 1}
        await self.command("record-rendering", document_sha256=DIGEST, **made)
        await self.command("request-signature", document_sha256=DIGEST, expires_at=msgspec.to_builtins(LATER))
        return self

    async def customer(self, event: Any) -> None:
        self.told_of += 1
        await self.consumer._handle(RecordedEvent(event, "customer-ada", self.told_of, self.told_of, 0), "ada")

    async def follow(self) -> "World":
        """Handles whatever is new in the log."""
        while self.place < len(self.commands.log):
            recorded = self.commands.log[self.place]
            if type(recorded.event) in self.consumer.events:
                await self.consumer._handle(recorded, "")
            self.place += 1
        return self

    async def tell(self, kind: str, request: str = "sig_1", result: str = "evt_1") -> None:
        told = {"result_id": result, "kind": kind, "request_id": request, "body": ""}
        assert (await self.commands.send("signature-results", "o-1", "keep", told, key=result)).accepted
        await self.follow()

    @property
    def status(self) -> Status:
        return self.commands.state["contract-o-1"].status  # type: ignore[no-any-return]

    @property
    def told(self) -> list[str]:
        return [str(one.status) for one in self.commands.state["signature_result-o-1"].results.values()]

    @property
    def request(self) -> Any:
        (one,) = self.provider.requests.values()
        return one


async def sent(check: Any = checked) -> World:
    return await (await World(check).drawn_up()).follow()


async def test_the_request_says_who_signs_what_until_when() -> None:
    world = await World().drawn_up()
    await world.customer(CustomerRegistered("ada", "Ada Byron", "ada@example.com", None, NOON))
    await world.customer(CustomerRenamed("ada", "Ada Lovelace", NOON))
    await world.customer(CustomerEmailChanged("ada", "lovelace@example.com", NOON))
    await world.follow()
    assert (world.request.reference, world.request.document_sha256) == ("o-1", DIGEST)
    assert (world.request.signer_name, world.request.expires_at) == ("Ada Lovelace", LATER)
    assert (await sent()).request.signer_name == "ada", "of whom nothing is known"


async def test_who_is_forgotten_is_asked_nothing() -> None:
    world = await World().drawn_up()
    await world.customer(CustomerForgotten("ada", NOON))
    await world.follow()
    assert (world.provider.requests, world.status) == ({}, Status.TO_SIGN)


async def test_what_was_withdrawn_meanwhile_is_sent_nowhere() -> None:
    world = await World().drawn_up()
    await world.command("withdraw", reason="the order was cancelled")
    await world.follow()
    assert world.provider.requests == {}


async def test_without_a_provider_nothing_is_sent() -> None:
    world = await World().drawn_up()
    world.consumer = ContractSigning(world.commands, Signers(MemoryReadStore(), "a.example"))
    before = len(world.commands.log)
    await world.follow()
    assert len(world.commands.log) == before


@pytest.mark.parametrize(
    ("act", "kind", "status"),
    [
        ("sign", "request.completed", Status.SEALED),
        ("decline", "request.declined", Status.DECLINED),
        ("view", "request.viewed", Status.TO_SIGN),
    ],
)
async def test_what_comes_of_it_is_recorded(act: str, kind: str, status: Status) -> None:
    world = await sent()
    world.provider.play("o-1", act)
    await world.tell(kind)
    assert (world.status, world.told) == (status, ["matched"])
    await world.tell(kind, result="evt_2")
    assert (world.status, world.told) == (status, ["matched", "matched"])


async def test_what_ends_here_is_cancelled_there() -> None:
    world = await sent()
    await world.command("withdraw", reason="the order was cancelled")
    await world.follow()
    assert (world.request.status, world.request.reason) == ("cancelled", "the order was cancelled")


async def test_what_was_signed_as_it_was_withdrawn_is_a_mismatch() -> None:
    world = await sent()
    world.provider.play("o-1", "sign")
    await world.command("withdraw", reason="the order was cancelled")
    await world.tell("request.completed")
    assert (world.status, world.request.status, world.told) == (Status.WITHDRAWN, "completed", ["mismatched"])


async def test_an_end_before_its_time_is_a_mismatch_and_a_clock_ahead_is_waited_for() -> None:
    world = await sent()
    world.provider.play("o-1", "expire")
    await world.tell("request.expired")
    assert (world.status, world.told) == (Status.TO_SIGN, ["mismatched"])
    ahead = await sent()
    ahead.provider.play("o-1", "expire")
    ahead.at = LATER  # the command API's clock is behind
    with pytest.raises(DependencyUnavailable):
        await ahead.tell("request.expired")


async def test_what_nobody_could_be_asked_in_time_is_asked_no_more() -> None:
    world = await World().drawn_up()
    world.at = LATER
    await world.follow()
    assert world.provider.requests == {}


async def test_what_is_told_and_is_not_so_is_a_mismatch() -> None:
    world = await sent()
    await world.tell("request.completed")
    await world.tell("request.completed", request="sig_9", result="evt_2")
    assert (world.status, world.told) == (Status.TO_SIGN, ["mismatched", "mismatched"])


async def test_a_result_of_another_document_is_a_mismatch() -> None:
    world = await sent()
    world.provider.play("o-1", "sign")
    world.provider.requests["sig_1"] = replace(world.request, document_sha256="d" * 64)
    await world.tell("request.completed")
    other = await world.documents.put(b"%PDF another of ours", "customer/ada")
    world.provider.requests["sig_1"] = replace(world.request, document_sha256=other)
    await world.tell("request.completed", result="evt_2")
    assert (world.status, world.told) == (Status.TO_SIGN, ["mismatched", "mismatched"])


async def test_of_a_customer_who_is_forgotten_nothing_is_kept() -> None:
    world = await sent()
    world.provider.play("o-1", "sign")
    world.documents.forgotten.add("customer/ada")
    await world.tell("request.completed")
    assert (world.status, world.told) == (Status.TO_SIGN, ["mismatched"])
    assert list(world.documents.documents) == [DIGEST]
    unasked = await World().drawn_up()
    unasked.documents.forgotten.add("customer/ada")
    await unasked.follow()
    assert unasked.provider.requests == {}


async def test_what_the_provider_made_is_kept_for_whom_ours_is_kept() -> None:
    world = await sent()
    world.provider.play("o-1", "sign")
    await world.tell("request.completed")
    assert world.status is Status.SEALED
    assert set(world.documents.subjects.values()) == {"customer/ada"}
    in_clear = await sent()
    in_clear.documents.subjects.clear()
    in_clear.provider.play("o-1", "sign")
    with pytest.raises(DependencyUnavailable, match="documents encrypt"):
        await in_clear.tell("request.completed")


async def test_a_document_that_must_not_be_taken_raises() -> None:
    world = await sent(refused)
    world.provider.play("o-1", "sign")
    with pytest.raises(DocumentRefused):
        await world.tell("request.completed")
    assert (world.status, world.told) == (Status.TO_SIGN, ["kept"])


async def test_a_request_that_is_not_ours_and_one_that_is_refused_raise() -> None:
    world = await World().drawn_up()
    key = f"o-1-{DIGEST[:32]}"
    world.provider._request_of[key] = "sig_1"
    world.provider.requests["sig_1"] = replace((await sent()).request, document_sha256="d" * 64)
    with pytest.raises(WrongRequest):
        await world.follow()
    refusing = await World().drawn_up()
    refusing.provider._clock = lambda: datetime(2100, 1, 1, tzinfo=UTC)
    with pytest.raises(RefusedBySignatureProvider):
        await refusing.follow()


async def test_what_waits_for_its_contract_finds_it() -> None:
    world = World()
    await world.tell("request.viewed")
    assert world.told == ["mismatched"], "the provider has no such request"
    early = await sent()
    state = early.commands.state.pop("contract-o-1")
    early.provider.play("o-1", "decline")
    await early.tell("request.declined")
    assert early.told == ["without_contract"]
    early.commands.state["contract-o-1"] = state
    early.place = 0
    early.consumer = replace_consumer(early)
    await early.follow()
    assert (early.status, early.told) == (Status.DECLINED, ["matched"])


def replace_consumer(world: World) -> ContractSigning:
    """As after a restart."""
    records = world.consumer._records
    signers = Signers(MemoryReadStore(), "customers.example")
    return ContractSigning(world.commands, signers, world.provider, world.documents, records, now=lambda: world.at)
