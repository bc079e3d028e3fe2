"""Any order of signing, webhooks, repeats, reorderings, cancellations and crashes between any two steps ends with the
same: our contracts say what the provider has, one request an order, and nothing is taken that does not agree."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from application.contracts.provider_records import ProviderRecords
from application.contracts.signers import Signers
from application.contracts.signing import ContractSigning
from domain.documents.aggregate import CONTRACT
from domain.documents.contract import Status
from domain.documents.events import ContractSealed, ContractSigned
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.documents.signature_results.results import Status as Told
from infrastructure.outside.signatures.received import DocumentRefused, ReceivedDocument
from ops.documents.comparison import OurContract, compare
from tests.payments.memory_commands import NOON, MemoryCommands
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.crashing import FOREVER, Crash, Fuse, Fused
from tests.support.memory_documents import MemoryDocumentStore
from tests.support.memory_signature_provider import MemorySignatureProvider

DOCUMENT = b"%PDF a contract"
DIGEST = hashlib.sha256(DOCUMENT).hexdigest()
ITEM = {"sku": "apple", "quantity": 1, "unit_price": 5, "discount": 0, "total": 5}


async def check(original: bytes, signed: bytes, expected: str, _authorities: Path) -> ReceivedDocument:
    """In the place of pyHanko's."""
    if not signed.startswith(original) or hashlib.sha256(signed).hexdigest() != expected:
        raise DocumentRefused("it is another")
    return ReceivedDocument(signed, expected, "c" * 64)


class Signatures(RuleBasedStateMachine):
    """The consumer with its place in the log, a provider, and webhooks on their way."""

    @initialize()
    def begin(self) -> None:
        self.commands = MemoryCommands(CONTRACT, SIGNATURE_RESULTS)
        self.provider = MemorySignatureProvider(clock=lambda: NOON)
        self.documents = MemoryDocumentStore()
        asyncio.run(self.documents.put(DOCUMENT, "customer/ada"))
        self.fuse = Fuse()
        self.place = 0
        self.delivered: set[int] = set()
        self.orders: list[str] = []
        self._start()

    def _start(self) -> None:
        commands: Any = Fused(self.commands, self.fuse)
        provider: Any = Fused(self.provider, self.fuse)
        records = ProviderRecords(commands, provider, self.documents, Path("ca.pem"), check=check, clock=lambda: NOON)
        signers = Signers(MemoryReadStore(), "customers.example")
        asyncio.run(signers.prepare())
        self.consumer = ContractSigning(commands, signers, provider, self.documents, records, now=lambda: NOON)

    def _command(self, order: str, action: str, **body: Any) -> None:
        asyncio.run(self.commands.send("contracts", order, action, body, key=f"{action}-{order}"))

    @rule()
    def ask(self) -> None:
        order = f"o-{len(self.orders)}"
        self.orders.append(order)
        at = msgspec.to_builtins(NOON)
        about = {"customer_id": "ada", "customer_name": "Ada", "currency": "USD", "lines": [ITEM], "total": 5}
        self._command(order, "request", **about, ordered_at=at, confirmed_at=at)
        made = {"template": "order-contract", "template_version": 1, "renderer": "a", "size": len(DOCUMENT)}
        self._command(order, "record-rendering", document_sha256=DIGEST, **made)
        until = msgspec.to_builtins(NOON + timedelta(days=14))
        self._command(order, "request-signature", document_sha256=DIGEST, expires_at=until)

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 50), act=st.sampled_from(("sign", "sign", "decline", "view")))
    def play(self, which: int, act: str) -> None:
        self.provider.play(self.orders[which % len(self.orders)], act)

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 50))
    def withdraw(self, which: int) -> None:
        self._command(self.orders[which % len(self.orders)], "withdraw", reason="the order was cancelled")

    @rule(steps=st.integers(1, 5), calls=st.integers(0, 6), before=st.booleans())
    def work_until_a_crash(self, steps: int, calls: int, before: bool) -> None:
        """The consumer handles events until its process ends; the event that it was at comes again."""
        self.fuse.calls, self.fuse.before = calls, before
        try:
            self._work(steps)
        except Crash:
            self._start()
        finally:
            self.fuse.calls = FOREVER

    @rule(back=st.integers(1, 10))
    def come_again(self, back: int) -> None:
        """A checkpoint was older than what had been done."""
        self.place = max(0, self.place - back)
        self._start()

    @precondition(lambda self: self.provider.told)
    @rule(which=st.integers(0, 50))
    def deliver(self, which: int) -> None:
        """Any of the webhooks, whether it was delivered before or not."""
        self._deliver(which % len(self.provider.told))

    @rule(order=st.integers(0, 8), request=st.integers(1, 8))
    def tell_of_another(self, order: int, request: int) -> None:
        """A result that says of one order what is another's, or of nobody's: kept, and never taken."""
        if f"o-{order}" not in self.orders or request == order + 1:
            return
        told = {"result_id": f"odd-{order}-{request}", "kind": "request.completed", "request_id": f"odd_{request}"}
        key = str(told["result_id"])
        asyncio.run(self.commands.send("signature-results", f"o-{order}", "keep", told, key=key))

    def _deliver(self, which: int) -> None:
        told = self.provider.told[which]
        self.delivered.add(which)
        kept = {"result_id": told.id, "kind": told.kind, "request_id": told.request_id, "body": ""}
        key = f"webhook-{told.id}"
        answer = asyncio.run(self.commands.send("signature-results", told.reference, "keep", kept, key=key))
        assert answer.accepted

    def _work(self, steps: int) -> None:
        while steps and self.place < len(self.commands.log):
            recorded = self.commands.log[self.place]
            if type(recorded.event) in self.consumer.events:
                asyncio.run(self.consumer._handle(recorded, self.consumer.keys(recorded.event)[0]))
                steps -= 1
            self.place += 1

    def teardown(self) -> None:
        """All that is under way comes to its end; then both sides agree."""
        if not hasattr(self, "commands"):
            return
        while True:
            before = len(self.commands.log), len(self.delivered)
            for which in set(range(len(self.provider.told))) - self.delivered:
                self._deliver(which)
            self._work(FOREVER)
            if before == (len(self.commands.log), len(self.delivered)):
                break
        requests = list(self.provider.requests.values())
        assert len({one.reference for one in requests}) == len(requests), "one request an order"
        signed = {e.order_id: e for e in (one.event for one in self.commands.log) if isinstance(e, ContractSigned)}
        contracts = {
            order: OurContract(self.commands.state[f"contract-{order}"], signed.get(order)) for order in self.orders
        }
        ours = {order: one for order, one in contracts.items() if one.contract.provider}
        for difference in compare(ours, requests):
            assert difference.kind == "signed-though-ended", difference
            assert ours[difference.reference].contract.status is Status.WITHDRAWN
        for recorded in self.commands.log:
            if isinstance(recorded.event, ContractSealed):
                content = self.documents.documents[recorded.event.sealed_sha256]
                assert content.startswith(DOCUMENT)
        for stream, told in self.commands.state.items():
            if stream.startswith("signature_result-"):
                for name, one in told.results.items():
                    assert one.status in (Told.MATCHED, Told.MISMATCHED)
                    assert one.status is Told.MISMATCHED or not name.startswith("odd")


TestSignatures = Signatures.TestCase
TestSignatures.settings = hypothesis_settings(max_examples=25, stateful_step_count=40, deadline=None)
