"""What holds for every adapter of the port: the sandbox over HTTP, and the one in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import Struct
from msgspec.structs import replace

from infrastructure.clock import utc_now
from infrastructure.outside.signatures import (
    RefusedBySignatureProvider,
    Signature,
    SignatureProvider,
    SignatureWish,
)
from infrastructure.outside.signatures.received import check_received
from infrastructure.resilience import DependencyUnavailable
from tests.signatures.documents import misbehave, pdf, play, provider_process, sandbox
from tests.support.memory_signature_provider import MemorySignatureProvider
from tests.support.ports import free_port
from tests.support.services import Service, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
pytest.importorskip("typst", reason="needs the extra: pip install 'eventfold[documents]'")

LATER = (utc_now() + timedelta(days=14)).replace(microsecond=0)


class Subject(Struct):
    """An adapter, and what has the signer of a reference act."""

    provider: SignatureProvider
    play: Callable[[str, str], Awaitable[bool]]


def wish(reference: str, document: bytes | None = None, expires_at: datetime = LATER) -> SignatureWish:
    content = pdf() if document is None else document
    digest = hashlib.sha256(content).hexdigest()
    return SignatureWish(content, digest, "Ada Lovelace", "ada@customers.example", reference, expires_at)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    process = provider_process(tmp_path_factory.mktemp("provider"))
    await process.start()
    await until(process.answers, "the provider answers", 60)
    yield process
    await process.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sandbox", "memory"])
async def subject(request: pytest.FixtureRequest, process: Service) -> AsyncIterator[Subject]:
    if request.param == "memory":
        memory = MemorySignatureProvider()

        async def at_once(reference: str, act: str) -> bool:
            return memory.play(reference, act)

        yield Subject(memory, at_once)
        return
    adapter = sandbox(process.url)

    async def over_http(reference: str, act: str) -> bool:
        return await play(process, reference, act) == 200

    yield Subject(adapter, over_http)
    await adapter.close()


async def test_a_request_is_made_once_for_a_key(subject: Subject):
    first, again = [await subject.provider.request("once", wish("o-once")) for _ in range(2)]
    assert (first, first.status, first.reference) == (again, "open", "o-once")
    assert (first.document_sha256, first.signer_name) == (hashlib.sha256(pdf()).hexdigest(), "Ada Lovelace")
    assert (first.expires_at, first.ended_at) == (LATER, None)
    assert await subject.provider.get(first.request_id) == first
    assert await subject.provider.find("once") == first
    many = await asyncio.gather(*(subject.provider.request("at-once", wish("o-at-once")) for _ in range(8)))
    assert len({one.request_id for one in many}) == 1


async def test_a_key_with_another_document_shows_what_was_asked_for(subject: Subject):
    first = await subject.provider.request("other", wish("o-other"))
    assert await subject.provider.request("other", wish("o-other", pdf("Another"))) == first


async def test_what_is_not_there_is_none(subject: Subject):
    assert await subject.provider.get("sig_none") is None
    assert await subject.provider.find("none") is None
    with pytest.raises(RefusedBySignatureProvider):
        await subject.provider.cancel("sig_none", "no")


async def test_what_is_signed_can_be_downloaded_with_its_audit_trail(subject: Subject):
    asked = await subject.provider.request("signed", wish("o-signed"))
    for ask in (subject.provider.signed_document, subject.provider.audit_trail):
        with pytest.raises(RefusedBySignatureProvider):
            await ask(asked.request_id)
    assert await subject.play("o-signed", "view")
    assert await subject.play("o-signed", "sign")
    signed = await subject.provider.request("signed", wish("o-signed"))
    assert (signed.request_id, signed.status) == (asked.request_id, "completed"), "a repeated call says what came of it"
    assert signed.ended_at is not None
    document = await subject.provider.signed_document(asked.request_id)
    assert hashlib.sha256(document).hexdigest() == signed.signed_sha256
    assert document.startswith(pdf())
    trail = await subject.provider.audit_trail(asked.request_id)
    assert hashlib.sha256(trail).hexdigest() == signed.audit_sha256
    assert not await subject.play("o-signed", "decline"), "it has ended"
    with pytest.raises(RefusedBySignatureProvider):
        await subject.provider.cancel(asked.request_id, "too late")


async def test_what_is_declined_or_expires_says_so(subject: Subject):
    for act, status in (("decline", "declined"), ("expire", "expired")):
        asked = await subject.provider.request(act, wish(f"o-{act}"))
        assert await subject.play(f"o-{act}", act)
        found = await subject.provider.get(asked.request_id)
        assert found is not None
        assert (found.status, bool(found.reason)) == (status, status == "declined")
        assert found.ended_at is not None


async def test_what_is_cancelled_can_be_signed_no_more(subject: Subject):
    asked = await subject.provider.request("cancelled", wish("o-cancelled"))
    cancelled = await subject.provider.cancel(asked.request_id, "the order was cancelled")
    assert (cancelled.status, cancelled.reason) == ("cancelled", "the order was cancelled")
    assert (await subject.provider.cancel(asked.request_id, "the order was cancelled")).status == "cancelled"
    assert not await subject.play("o-cancelled", "sign")


async def test_what_can_never_be_right_is_refused(subject: Subject):
    right = wish("bad")
    for wrong in (
        replace(right, document_sha256="0" * 64),
        replace(right, expires_at=utc_now() - timedelta(seconds=1)),
        replace(right, signer_name=""),
        replace(right, signer_mail="nowhere"),
    ):
        with pytest.raises(RefusedBySignatureProvider):
            await subject.provider.request("bad", wrong)
    assert (await subject.provider.request("bad", right)).status == "open", "a key whose request was refused is free"


async def test_the_list_has_every_request_by_its_last_change(subject: Subject):
    first, second = [await subject.provider.request(f"list-{one}", wish(f"o-list-{one}")) for one in (1, 2)]
    pages: list[Signature] = []
    cursor, more = None, True
    while more:
        page = await subject.provider.list_since(cursor, 2)
        assert len(page.signatures) <= 2
        pages += page.signatures
        cursor, more = page.cursor, page.more
    listed = [one.request_id for one in pages]
    assert len(listed) == len(set(listed))
    assert listed.index(first.request_id) < listed.index(second.request_id)
    await subject.provider.cancel(first.request_id, "")
    page = await subject.provider.list_since(cursor)
    assert [(one.request_id, one.status) for one in page.signatures] == [(first.request_id, "cancelled")]
    assert (await subject.provider.list_since(page.cursor)).signatures == ()


async def test_no_definite_answer_is_unavailable(process: Service):
    """Of the adapter over HTTP alone: what is no answer is never taken for one."""
    for faults in (
        {"errors": ["not-json"]},
        {"errors": ["cut-off"]},
        {"errors": ["302"]},
        {"errors": ["429"], "retry_after": 3},
        {"errors": ["500"]},
        {"down": True},
        {"hang_share": 1, "hang_for": 3},
    ):
        # No shorter than a busy machine needs for an answer: what a 429 says has to arrive.
        adapter = sandbox(process.url, timeout=0.5 if "hang_share" in faults else 30, retries=0)
        await misbehave(process, **faults)
        key = f"unknown-{faults}".replace(" ", "")[:60]
        with pytest.raises(DependencyUnavailable) as raised:
            await adapter.request(key, wish("o"))
        assert raised.value.retry_after >= faults.get("retry_after", 0)  # type: ignore[operator]
        await misbehave(process)
        patient = sandbox(process.url)
        asked = await patient.request(key, wish("o"))
        assert await patient.find(key) == asked
        await adapter.close()
        await patient.close()
    for adapter in (sandbox(process.url, "wrong key"), sandbox(f"http://127.0.0.1:{free_port()}", retries=0)):
        with pytest.raises(DependencyUnavailable):
            await adapter.request("wrong", wish("o"))
        with pytest.raises(DependencyUnavailable):
            await adapter.signed_document("sig_none")
        with pytest.raises(DependencyUnavailable):
            await adapter.ping()
        await adapter.close()


async def test_half_a_document_is_none(process: Service):
    adapter = sandbox(process.url)
    asked = await adapter.request("half", wish("o-half"))
    assert await play(process, "o-half", "sign") == 200
    await misbehave(process, errors=["cut-off"])
    with pytest.raises(DependencyUnavailable):
        await adapter.signed_document(asked.request_id)
    await misbehave(process)
    assert (await adapter.signed_document(asked.request_id)).startswith(pdf())
    await adapter.close()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path):
    process = provider_process(tmp_path)
    await process.start()
    await until(process.answers, "the provider answers", 60)
    adapter = sandbox(process.url, retries=3)
    asked = await adapter.request("now", wish("o-now"))
    authority = (tmp_path / "provider/ca.pem").read_bytes()
    await process.kill()
    await process.start()
    await until(process.answers, "the provider answers again", 60)
    assert await adapter.request("now", wish("o-now")) == asked
    assert (tmp_path / "provider/ca.pem").read_bytes() == authority
    assert await play(process, "o-now", "sign") == 200
    signed = await adapter.get(asked.request_id)
    assert signed is not None
    content = await adapter.signed_document(asked.request_id)
    received = await check_received(pdf(), content, signed.signed_sha256, tmp_path / "provider/ca.pem")
    assert received.signed == content
    await adapter.close()
    await process.kill()
