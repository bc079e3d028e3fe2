"""What holds for every adapter of the port: the sandbox over HTTP, and the one in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import Struct

from infrastructure.outside.http_client import HttpClient
from infrastructure.outside.payments import Charge, PaymentProvider, RefusedByProvider
from infrastructure.outside.payments.sandbox import SandboxProvider
from infrastructure.resilience import DependencyUnavailable, Limits, Policy
from tests.payments.shop import KEY, provider_process, put
from tests.support.memory_provider import MemoryProvider
from tests.support.ports import free_port
from tests.support.services import Service, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Subject(Struct):
    """An adapter, and what lets that settle which is pending."""

    provider: PaymentProvider
    settle: Callable[[], Awaitable[None]]


def sandbox(url: str, key: str = KEY, **limits: float) -> SandboxProvider:
    policy = Policy("payments", Limits(**{"timeout": 10.0, "retries": 1, **limits}))  # type: ignore[arg-type]
    return SandboxProvider(HttpClient(url, policy, headers={"Authorization": f"Bearer {key}"}))


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
        memory = MemoryProvider()

        async def at_once() -> None:
            memory.settle()

        yield Subject(memory, at_once)
        return
    adapter = sandbox(process.url)

    async def settled() -> None:
        async def nothing_is_pending() -> bool:
            page = await adapter.list_since(None, 1000)
            under_way = [one.status for one in page.charges]
            under_way += [refund.status for one in page.charges for refund in one.refunds]
            return "pending" not in under_way

        await until(nothing_is_pending, "all has settled", 60)

    yield Subject(adapter, settled)
    await adapter.close()


async def charged(subject: Subject, key: str, customer: str = "ada", amount: int = 1900) -> Charge:
    return await subject.provider.charge(key, amount, "USD", reference=key, customer=customer)


async def test_a_charge_is_made_once_for_a_key(subject: Subject):
    first, again = await charged(subject, "once"), await charged(subject, "once")
    assert (first, first.status, first.reference) == (again, "succeeded", "once")
    assert (first.amount, first.currency, first.refunded, first.refunds) == (1900, "USD", 0, ())
    assert await subject.provider.get(first.charge_id) == first
    assert await subject.provider.find("once") == first
    many = await asyncio.gather(*(charged(subject, "at-once") for _ in range(8)))
    assert len({one.charge_id for one in many}) == 1


async def test_a_key_with_other_values_shows_what_was_charged(subject: Subject):
    first = await charged(subject, "other")
    assert await charged(subject, "other", amount=1) == first


async def test_what_is_not_there_is_none(subject: Subject):
    assert await subject.provider.get("ch_none") is None
    assert await subject.provider.find("none") is None


async def test_a_declined_charge_says_why(subject: Subject):
    declined = await charged(subject, "declined", "card-declined")
    assert (declined.status, bool(declined.decline)) == ("declined", True)
    with pytest.raises(RefusedByProvider):
        await subject.provider.refund("of-declined", declined.charge_id, 1, "no")


async def test_what_is_pending_settles(subject: Subject):
    good, bad = await charged(subject, "later", "settles-later"), await charged(subject, "later-not", "declined-later")
    assert (good.status, bad.status) == ("pending", "pending")
    await subject.settle()
    ended = [await subject.provider.get(one.charge_id) for one in (good, bad)]
    assert [one and one.status for one in ended] == ["succeeded", "declined"]


async def test_refunds_are_bounded_by_the_charge(subject: Subject):
    charge = await charged(subject, "back")
    part = await subject.provider.refund("back-1", charge.charge_id, 900, "a part")
    assert (part.status, part.amount, part.charge_id) == ("succeeded", 900, charge.charge_id)
    assert await subject.provider.refund("back-1", charge.charge_id, 900, "a part") == part
    with pytest.raises(RefusedByProvider):
        await subject.provider.refund("back-2", charge.charge_id, 1001, "too much")
    with pytest.raises(RefusedByProvider):
        await subject.provider.refund("back-1", charge.charge_id, 1, "the key is used")
    # A key whose request was refused is free.
    rest = await subject.provider.refund("back-2", charge.charge_id, 1000, "the rest")
    found = await subject.provider.get(charge.charge_id)
    assert found is not None
    assert (found.refunded, found.refunds) == (1900, (part, rest))
    with pytest.raises(RefusedByProvider):
        await subject.provider.refund("of-none", "ch_none", 1, "no")


async def test_a_refund_may_fail_or_come_later(subject: Subject):
    charge = await charged(subject, "fails", "refund-fails")
    refund = await subject.provider.refund("fails-1", charge.charge_id, 1900, "back")
    assert (refund.status, bool(refund.failure)) == ("failed", True)
    later = await charged(subject, "back-later", "refund-later")
    pending = await subject.provider.refund("later-1", later.charge_id, 1900, "back")
    assert pending.status == "pending"
    with pytest.raises(RefusedByProvider):
        await subject.provider.refund("later-2", later.charge_id, 1, "it is on its way")
    await subject.settle()
    ended = [await subject.provider.get(one.charge_id) for one in (charge, later)]
    assert [one and one.refunded for one in ended] == [0, 1900]


async def test_what_can_never_be_right_is_refused(subject: Subject):
    for amount, currency in ((0, "USD"), (-1, "USD"), (1, "usd"), (1, "DOLLARS")):
        with pytest.raises(RefusedByProvider):
            await subject.provider.charge("bad", amount, currency, reference="bad", customer="ada")


async def test_the_list_has_every_charge_by_its_last_change(subject: Subject):
    first, second = await charged(subject, "listed-1"), await charged(subject, "listed-2", "settles-later")
    await subject.settle()
    pages: list[Charge] = []
    cursor, more = None, True
    while more:
        page = await subject.provider.list_since(cursor, 2)
        assert len(page.charges) <= 2
        pages += page.charges
        cursor, more = page.cursor, page.more
    listed = [one.charge_id for one in pages]
    assert len(listed) == len(set(listed))
    assert listed.index(first.charge_id) < listed.index(second.charge_id)
    await subject.provider.refund("listed", first.charge_id, 5, "")
    page = await subject.provider.list_since(cursor)
    assert [(one.charge_id, one.refunded) for one in page.charges] == [(first.charge_id, 5)]
    assert (await subject.provider.list_since(page.cursor)).charges == ()


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
        patient = sandbox(process.url)
        await put(process, "faults", **faults)
        key = f"unknown-{faults}".replace(" ", "")[:60]
        with pytest.raises(DependencyUnavailable) as raised:
            await adapter.charge(key, 1900, "USD", reference="o", customer="ada")
        assert raised.value.retry_after >= faults.get("retry_after", 0)  # type: ignore[operator]
        await put(process, "faults")
        charge = await patient.charge(key, 1900, "USD", reference="o", customer="ada")
        assert (await patient.find(key)) == charge
        await adapter.close()
        await patient.close()
    for adapter in (sandbox(process.url, "wrong key"), sandbox(f"http://127.0.0.1:{free_port()}", retries=0)):
        with pytest.raises(DependencyUnavailable):
            await adapter.charge("wrong", 1900, "USD", reference="o", customer="ada")
        with pytest.raises(DependencyUnavailable):
            await adapter.ping()
        await adapter.close()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path):
    process = provider_process(tmp_path)
    await process.start()
    await until(process.answers, "the provider answers", 60)
    adapter = sandbox(process.url, retries=3)
    now = await adapter.charge("now", 1900, "USD", reference="now", customer="ada")
    later = await adapter.charge("later", 1900, "USD", reference="later", customer="settles-later")
    await process.kill()
    await process.start()
    await until(process.answers, "the provider answers again", 60)
    assert await adapter.charge("now", 1900, "USD", reference="now", customer="ada") == now

    async def settled() -> bool:
        found = await adapter.get(later.charge_id)
        return found is not None and found.status == "succeeded"

    await until(settled, "what was pending settles after the restart", 60)
    await adapter.close()
    await process.kill()
