"""The webhook endpoint: what is not the provider's is refused, what is theirs is kept before it is acknowledged."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.payments.payment import Status
from infrastructure.settings import Settings
from tests.payments.shop import SERVICES, Shop, put, signed
from tests.support.services import service

pytestmark = pytest.mark.asyncio(loop_scope="package")

WEEK = 7 * 86_400


def told(event: str, reference: str, kind: str = "charge.succeeded", **charge: Any) -> dict[str, Any]:
    """A webhook's body."""
    values = {"id": f"ch_{reference}", "reference": reference, "currency": "USD", "amount": 1900, "decline": ""}
    return {"id": event, "type": kind, "created": 1.0, "charge": {**values, **charge}}


async def test_what_is_not_proven_to_be_theirs_is_refused(shop: Shop):
    body = msgspec.json.encode(told("evt_1", "o-1"))
    good = signed(body)["Sandbox-Signature"]
    refused: dict[str, dict[str, str]] = {
        "it has no signature": {},
        "another key": signed(body, secret="another key"),
        "of another body": signed(b" " + body),
        "more than 300 s from now": signed(body, at=time.time() - WEEK),
        "more than 300 s from": signed(body, at=time.time() + WEEK),
        "is not t=": {"Sandbox-Signature": good + "0"},
        "hexadecimal digits": {"Sandbox-Signature": good.upper()},
        "is not t=<seconds>": {"Sandbox-Signature": "t=1,v1="},
    }
    for why, headers in refused.items():
        status, problem = await shop.webhook(body, headers)
        assert (status, problem["type"]) == (401, "urn:eventfold:problem:unsigned-webhook"), why
        assert why in problem["detail"], problem
    for age in (-290, 290):
        assert (await shop.webhook(body, signed(body, at=time.time() + age)))[0] == 200
    assert await shop.told("o-1") is not None


async def test_what_is_too_large_is_refused_unread(shop: Shop):
    body = b'{"id": "evt_1", "type": "' + b"x" * 10_485_760 + b'"}'
    signature = signed(body)["Sandbox-Signature"]
    head = f"POST /payment-webhooks HTTP/1.1\r\nHost: here\r\nSandbox-Signature: {signature}\r\n"
    said = head + f"Content-Length: {len(body)}\r\n\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + body[:65_536] + b"\r\n"
    for sent in (said.encode(), chunked.encode() + chunk + chunk):
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.webhooks.port)
        writer.write(sent)
        status = await reader.readline()
        assert b" 413 " in status, status
        writer.close()
    assert await shop.told("evt_1") is None


async def test_what_is_signed_and_makes_no_sense_is_refused(shop: Shop):
    for body in (
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"id": "evt_1"}',
        b'{"id": "evt/1", "type": "charge.succeeded"}',
        b'{"id": "evt_1", "type": "charge.succeeded"}',
        b'{"id": "evt_1", "type": "refund.succeeded", "charge": {"id": "c", "reference": "o", "currency": "USD"}}',
        b"[" * 60_000,
        msgspec.json.encode(told("evt_1", "o-2", amount="1900")),
        msgspec.json.encode(told("evt_1", "o-2", amount=-1)),
        msgspec.json.encode(told("evt_1", "o-2", id="")),
    ):
        status, problem = await shop.webhook(body)
        assert (status, problem["type"]) == (400, "urn:eventfold:problem:malformed-webhook"), (body[:80], problem)
    assert await shop.told("o-2") is None


async def test_an_unknown_type_is_kept_and_ignored(shop: Shop):
    body = {"id": "evt_9", "type": "dispute.opened", "created": 1.0, "dispute": {"for": "o-3"}}
    assert await shop.webhook(body) == (200, {"outcome": "ignored"})
    assert await shop.told_statuses("evt_9") == ["ignored"]
    kept = (await shop.told("evt_9")).results["evt_9"].kept  # type: ignore[union-attr]
    assert (kept.kind, msgspec.json.decode(kept.body)) == ("dispute.opened", body)
    async with shop.http.get(f"{shop.webhooks.url}/metrics") as response:
        assert 'eventfold_payment_webhooks_total{outcome="ignored"} 1.0' in await response.text()


async def test_what_comes_again_changes_nothing(shop: Shop):
    await shop.ask_for("o-4", customer="settles-later-4")
    await shop.is_at("o-4", Status.CHARGED)
    await shop.is_told("o-4", "matched")
    (result,) = (await shop.told("o-4")).results.values()  # type: ignore[union-attr]
    before = await shop.events("o-4"), len(await shop.log.read_stream("provider_result-o-4"))
    for _ in range(3):
        assert (await shop.webhook(result.kept.body.encode()))[0] == 200
    other = {**msgspec.json.decode(result.kept.body), "type": "charge.declined"}
    assert await shop.webhook(other) == (200, {"outcome": "repeated"}), "the same id, with another body"
    assert (await shop.events("o-4"), len(await shop.log.read_stream("provider_result-o-4"))) == before


async def test_a_charge_that_is_not_known_yet_waits_for_its_payment(shop: Shop):
    # Nobody charges here but by the webhook: the provider is down.
    await put(shop.provider, "faults", down=True)
    assert await shop.webhook(told("evt_5", "o-5")) == (200, {"outcome": "kept"})
    await shop.is_told("o-5", "without_payment")
    await shop.ask_for("o-5")
    await shop.is_at("o-5", Status.CHARGED)
    await shop.is_told("o-5", "matched")


async def test_an_amount_that_differs_is_a_mismatch_and_is_never_taken(shop: Shop):
    await put(shop.provider, "faults", down=True)
    await shop.ask_for("o-6")
    assert (await shop.webhook(told("evt_6", "o-6", amount=1901)))[0] == 200
    assert (await shop.webhook(told("evt_7", "o-6", currency="EUR")))[0] == 200
    await shop.is_told("o-6", "mismatched", "mismatched")
    assert (await shop.payment("o-6")).status is Status.REQUESTED  # type: ignore[union-attr]
    async with shop.http.get(f"{shop.consumers.url}/metrics") as response:
        metric = re.search(r'eventfold_payment_results_total{outcome="contradicts"} ([0-9]+)', await response.text())
        assert metric is not None
        assert int(metric[1]) >= 2
    assert (await shop.webhook(told("evt_8", "o-6")))[0] == 200
    await shop.is_at("o-6", Status.CHARGED)
    # Charged is charged: a decline that comes then is a contradiction, as is a charge by another name.
    assert (await shop.webhook(told("evt_a", "o-6", "charge.declined")))[0] == 200
    assert (await shop.webhook(told("evt_b", "o-6", id="ch_other")))[0] == 200
    refund = {"id": "re_1", "amount": 900, "failure": ""}
    assert (await shop.webhook({**told("evt_c", "o-6", "refund.succeeded"), "refund": refund}))[0] == 200
    await shop.is_told("o-6", *["mismatched"] * 2, "matched", *["mismatched"] * 3)


async def test_nothing_is_acknowledged_before_it_is_kept(shop: Shop):
    await shop.commands.kill()
    body = told("evt_d", "o-7")
    status, problem = await shop.webhook(body)
    assert (status, problem["type"]) == (503, "urn:eventfold:problem:unavailable")
    await shop.commands.start()
    while (await shop.webhook(body))[0] != 200:
        await asyncio.sleep(0.05)
    assert await shop.told_statuses("o-7") != []


async def test_no_secret_gets_into_a_log_by_way_of_the_settings():
    shown = repr(Settings.of(payments_key="k-1", payments_webhook_secret="s-1"))
    assert ("k-1" in shown, "s-1" in shown) == (False, False)


async def test_it_does_not_start_without_a_secret(tmp_path: Path):
    started = service("payment_webhooks", tmp_path, domain=SERVICES)
    await started.start()
    assert started._process is not None
    assert await started._process.wait() == 2
    assert "EVENTFOLD_PAYMENTS_WEBHOOK_SECRET is not set" in started.log.read_text()
