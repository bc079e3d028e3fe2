"""What must hold of every contract when nothing is awaited any more, whoever was killed on the way."""

import asyncio
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from domain.documents.events import ContractCompleted, ContractCustomerNotified, ContractRendered, ContractSealed
from infrastructure.document_store import digest_of
from infrastructure.outside.mail.message import message_id
from infrastructure.outside.signing.verification import verify_signatures
from infrastructure.settings import Settings
from tests.end_to_end.contract_shop import REGRETTING, ContractShop
from tests.support.documents import documents_in

_SIGNED = {"ContractRequested", "ContractRendered", "SignatureRequested", "ContractSigned", "ContractSealed"} | {
    "ContractCompleted"
}
_WITHDRAWN = {"ContractRequested", "ContractRendered", "SignatureRequested", "ContractWithdrawn"}


async def check(shop: ContractShop) -> Counter[str]:
    """All of it; gives how many contracts have ended how."""
    await shop.contracts.catch_up()
    async with shop.http.post(f"{shop.projector.url}/drain?timeout=120") as answer:
        assert answer.status == 200, await answer.text()
    ends = Counter(check_steps(shop, order) for order in shop.orders)
    await check_chains(shop)
    await check_documents(shop)
    await check_mails(shop)
    assert await shop.dead_letters() == []
    return ends


def check_steps(shop: ContractShop, order: str) -> str:
    """Each step once, about one document."""
    events, counts = shop.contracts.of(order), shop.contracts.counts(order)
    notices = counts.pop("ContractCustomerNotified")
    expected = _WITHDRAWN if order.startswith(REGRETTING) else _SIGNED
    assert counts == Counter(expected), order
    last = "contract-withdrawn" if order.startswith(REGRETTING) else "contract-signed"
    kinds = [event.kind for event in events if isinstance(event, ContractCustomerNotified)]
    assert Counter(kinds) == Counter(["contract-to-sign", last]), order
    assert notices == 2
    rendered = next(event for event in events if isinstance(event, ContractRendered))
    later = events[events.index(rendered) :]
    assert {event.document_sha256 for event in later} == {rendered.document_sha256}, order
    return str(last)


async def check_chains(shop: ContractShop) -> None:
    """Every step of a service is of the contract's correlation id, and its causation names the event before it."""
    for order in shop.orders:
        chain = await shop.contracts.chain(order)
        assert not chain.awaited
        for number, link in enumerate(chain.links):
            cause, kind = chain.chain.causes[number], link.stored.type
            if kind in ("OrderConfirmed", "OrderCancelled"):
                assert cause is None
                continue
            assert cause is not None, (order, kind)
            if kind == "ContractSigned":
                continue
            assert link.metadata.correlation_id == f"contract-{order}", (order, kind)
            if kind.startswith("Contract") or kind == "SignatureRequested":
                revision = chain.links[cause].stored.revision
                assert re.fullmatch(rf"{order}-{revision}-[a-z-]+", link.metadata.causation_id or ""), link


async def check_documents(shop: ContractShop) -> None:
    """What is served is what the last event speaks of. Beside what events speak of there is nothing but seals whose
    event a crash came before: upon documents that are there, and no document twice."""
    store = documents_in(shop.documents, shop.folder)
    contents = {}
    for order in shop.orders:
        for event in shop.contracts.of(order):
            if isinstance(event, ContractRendered):
                contents[event.document_sha256] = await store.get(event.document_sha256)
            elif isinstance(event, ContractSealed):
                contents[event.sealed_sha256] = await store.get(event.sealed_sha256)
                await check_sealed(shop, event, contents[event.document_sha256])
            elif isinstance(event, ContractCompleted):
                contents[event.completion_sha256] = await store.get(event.completion_sha256)
    rendered = [event.document_sha256 for event in shop.contracts.events if isinstance(event, ContractRendered)]
    assert len(set(rendered)) == len(shop.orders)
    others = {path.stem for path in shop.documents.glob("*/*.pdf")} - contents.keys()
    there = {as_rendered(content) for content in contents.values()}
    for one in others:
        assert as_rendered(await store.get(one)) in there, one
    await store.close()


def as_rendered(content: bytes) -> bytes:
    """A document without the seal upon it, which stands behind it."""
    return content.partition(b"%%EOF")[0]


async def check_sealed(shop: ContractShop, event: ContractSealed, document: bytes) -> None:
    """It is served, the customer's document stands in it to the byte, and both validators say that it holds."""
    sealed = await shop.document(event.order_id)
    assert digest_of(sealed) == event.sealed_sha256
    assert sealed.startswith(document)
    (verdict,) = await verify_signatures(sealed, shop.ca.authority)
    assert verdict.holds, verdict
    if shutil.which("pdfsig") is not None:
        said = await asyncio.to_thread(_pdfsig, shop.documents.parent / "sealed.pdf", sealed)
        assert "Signature is Valid." in said
        assert "Total document signed" in said


def _pdfsig(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout


async def check_mails(shop: ContractShop) -> None:
    """One mail in effect for each message: one that a crash made come twice has the same Message-ID and the same
    content, so that a mailbox can drop it."""
    sender = Settings().mail.sender
    mails = await shop.sink.mails()
    expected = set[str]()
    for order in shop.orders:
        for event in shop.contracts.of(order):
            if isinstance(event, ContractCustomerNotified):
                assert event.reference == message_id(f"{order}/{event.kind}", sender)
                expected.add(event.reference)
    came: dict[str, set[Any]] = {}
    for mail in mails:
        if "contract" in mail["subject"]:
            same = (mail["subject"], mail["text"], *mail["recipients"])
            came.setdefault(mail["message_id"], set()).add(same)
    assert came.keys() == expected
    assert all(len(same) == 1 for same in came.values()), "what came twice is the same"
