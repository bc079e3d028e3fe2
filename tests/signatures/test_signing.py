"""Contracts signed at the provider, over real processes: what comes of each end, and what must not be taken."""

import asyncio
import os
import random
import sys
from collections import Counter

import msgspec
import pytest

from domain.documents.contract import Status
from infrastructure.outside.signatures.received import check_received
from tests.signatures.documents import misbehave
from tests.signatures.shop import Shop
from tests.support.services import ROOT, until

pytestmark = pytest.mark.asyncio(loop_scope="package")
pytest.importorskip("typst", reason="needs the extra: pip install 'eventfold[documents]'")

NAMES = ["ContractRequested", "ContractRendered", "SignatureRequested", "ContractSentToProvider"]


async def test_a_signature_is_downloaded_checked_kept_and_recorded(shop: Shop):
    await shop.ask_for("o-1")
    await shop.play("o-1", "view")
    await shop.play("o-1", "sign")
    await shop.is_at("o-1", Status.SEALED)
    events = await shop.events("o-1")
    assert [type(one).__name__ for one in events] == [*NAMES, "ContractSigned", "ContractSealed"]
    signed, sealed, request = events[-2], events[-1], await shop.request_of("o-1")
    assert (signed.channel, signed.request_id) == ("provider", request.request_id)
    assert signed.signed_sha256 == sealed.sealed_sha256 == request.signed_sha256
    original, document = [await shop.documents.get(one) for one in (signed.document_sha256, signed.signed_sha256)]
    await check_received(original, document, signed.signed_sha256, shop.authority)
    trail = msgspec.json.decode(await shop.documents.get(signed.audit_sha256))
    assert [one["what"] for one in trail["steps"]] == ["requested", "viewed", "signed"]
    await shop.is_told("o-1", "matched", "matched")
    status, problem = await shop.send(
        "/contracts/o-1/sign", {"document_sha256": "a" * 64, "name": "A", "consent": True}
    )
    assert status == 409, problem


async def test_what_is_declined_says_why_and_what_is_withdrawn_is_cancelled_there(shop: Shop):
    await shop.ask_for("o-2")
    await shop.play("o-2", "decline", reason="too dear")
    await shop.is_at("o-2", Status.DECLINED)
    assert (await shop.events("o-2"))[-1].reason == "too dear"
    await shop.ask_for("o-3")
    await shop.is_asked("o-3")
    assert (await shop.send("/contracts/o-3/withdraw", {"reason": "the order was cancelled"}))[0] == 200

    async def cancelled() -> bool:
        request = await shop.request_of("o-3")
        return (request.status, request.reason) == ("cancelled", "the order was cancelled")

    await until(cancelled, "it is cancelled there", 90)


async def test_webhooks_that_are_late_double_or_shuffled_change_nothing(shop: Shop):
    await misbehave(shop.provider, webhook_early=True, webhook_duplicates=2, webhook_shuffled=True, webhook_delay=0.3)
    for order in ("o-4", "o-5"):
        await shop.ask_for(order)
    await shop.play("o-4", "sign")
    await shop.play("o-5", "decline")
    await shop.is_at("o-4", Status.SEALED)
    await shop.is_at("o-5", Status.DECLINED)
    await shop.is_told("o-4", "matched", "matched")
    counts = Counter(type(event).__name__ for event in await shop.events("o-4"))
    counts.pop("ContractCompleted", None)  # which follows from the seal, at its own time
    assert (len(counts), counts.total()) == (6, 6)


async def test_a_result_about_nothing_of_ours_is_kept_and_shown(shop: Shop):
    body = {"id": "evt_x", "type": "request.completed", "request": {"id": "sig_none", "reference": "o-none"}}
    assert await shop.webhook(body) == (200, {"outcome": "kept"})
    await shop.is_told("o-none", "mismatched")
    # And one that names our order and another's request.
    await shop.ask_for("o-6")
    await shop.ask_for("o-7")
    await shop.play("o-7", "sign")
    await shop.is_at("o-7", Status.SEALED)
    other = (await shop.request_of("o-7")).request_id
    body = {"id": "evt_y", "type": "request.completed", "request": {"id": other, "reference": "o-6"}}
    assert (await shop.webhook(body))[0] == 200
    await shop.is_told("o-6", "mismatched")
    assert (await shop.contract("o-6")).status is Status.TO_SIGN  # type: ignore[union-attr]


async def test_a_signed_document_that_is_not_ours_is_a_dead_letter_and_never_taken(shop: Shop):
    parked = await shop.parked()
    wrong = ("another", "rewritten", "unsigned", "untrusted")
    for which in wrong:
        await misbehave(shop.provider, signed_document=which)
        await shop.ask_for(f"o-{which}")
        await shop.play(f"o-{which}", "sign")

    async def all_parked() -> bool:
        return await shop.parked() == parked + len(wrong)

    await until(all_parked, "each is a dead letter", 90)
    for which in wrong:
        assert (await shop.contract(f"o-{which}")).status is Status.TO_SIGN  # type: ignore[union-attr]
        assert await shop.told_statuses(f"o-{which}") == ["kept"]
    assert await shop.metric(shop.consumers, 'eventfold_signature_results_total{outcome="refused"}') >= len(wrong)


async def test_reconcile_finds_what_webhooks_lost_and_records_it(shop: Shop):
    await misbehave(shop.provider, webhook_lost_share=1)
    await shop.ask_for("o-8")
    await shop.play("o-8", "sign")

    async def reconcile(*options: str) -> tuple[int, dict[str, dict[str, str]]]:
        environment = {f"EVENTFOLD_{name.upper()}": value for name, value in shop.settings.items()} | shop.keys
        command = ["-m", "ops.cli", "documents", "reconcile", "--json", "--wait", "0", *options]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={**os.environ, "EVENTFOLD_AUTH": "off", "PYTHONPATH": str(ROOT), **environment},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        found = msgspec.json.decode(printed)
        return process.returncode or 0, {one["reference"]: one for one in found["differences"]}

    code, found = await reconcile()
    assert (code, found["o-8"]["kind"], found["o-8"]["mend"]) == (1, "signature-missed", "record")
    _, found = await reconcile("--apply", "--command-api", shop.commands.url)
    assert "o-8" not in found
    assert (await shop.contract("o-8")).status is Status.SEALED  # type: ignore[union-attr]
    if "o-another" in found:
        assert "does not stand" in found["o-another"]["refused"], "what must not be taken is not taken here either"


@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.slow)])
async def test_kills_lose_and_double_nothing(shop: Shop, rounds: int):
    choose = random.Random(rounds)
    parked = await shop.parked()
    killable = [shop.consumers, shop.provider, shop.webhooks, shop.commands]
    orders: dict[str, Status] = {}
    for round_ in range(rounds):
        faults = {"errors": ["500", "cut-off"], "error_share": 0.1, "webhook_duplicates": 1, "webhook_shuffled": True}
        await misbehave(shop.provider, **faults)
        fresh = [f"kill-{rounds}-{round_}-{number}" for number in range(4)]
        for order in fresh:
            await shop.ask_for(order)
        victim = killable[round_ % len(killable)]
        await asyncio.sleep(choose.uniform(0, 0.3))  # where it hits is the point
        await victim.kill()
        await victim.start()
        await until(victim.answers, f"{victim.name} answers again", 90)
        for number, order in enumerate(fresh):
            act, status = (("sign", Status.SEALED), ("decline", Status.DECLINED))[number % 2]
            await shop.play(order, act)
            orders[order] = status
    await misbehave(shop.provider)
    for order, status in orders.items():
        await shop.is_at(order, status)
        assert (await shop.request_of(order)) is not None
        if status is Status.SEALED:
            signed = await shop.signature(order)
            assert (await shop.request_of(order)).signed_sha256 == signed.signed_sha256
    assert await shop.parked() == parked
