"""The webhooks of the signing provider: what is not theirs is refused, what is theirs is kept before it is
acknowledged."""

import time
from pathlib import Path

import msgspec
import pytest

from tests.signatures.shop import SERVICES, Shop, signed
from tests.support.services import service, until

pytestmark = pytest.mark.asyncio(loop_scope="package")
pytest.importorskip("typst", reason="needs the extra: pip install 'eventfold[documents]'")


def told(event: str, reference: str, kind: str = "request.viewed", request: str = "sig_none") -> dict[str, object]:
    return {"id": event, "type": kind, "created": 1.0, "request": {"id": request, "reference": reference}}


async def test_what_is_not_proven_to_be_theirs_is_refused(shop: Shop):
    body = msgspec.json.encode(told("evt_1", "w-1"))
    for headers in (
        {},
        signed(body, secret="another key"),
        signed(b" " + body),
        signed(body, at=time.time() - 86_400),
        signed(body, at=time.time() + 86_400),
    ):
        status, problem = await shop.webhook(body, headers)
        assert (status, problem["type"]) == (401, "urn:eventfold:problem:unsigned-webhook"), problem
    assert await shop.told("w-1") is None


async def test_what_is_signed_and_makes_no_sense_is_refused(shop: Shop):
    for body in (
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"id": "evt_1"}',
        msgspec.json.encode(told("evt/1", "w-2")),
        b'{"id": "evt_1", "type": "request.completed"}',
        msgspec.json.encode(told("evt_1", "w-2", request="")),
        msgspec.json.encode(told("evt_1", "w-2", request="s" * 201)),
        b"[" * 60_000,
    ):
        status, problem = await shop.webhook(body)
        assert (status, problem["type"]) == (400, "urn:eventfold:problem:malformed-webhook"), (body[:80], problem)
    assert await shop.told("w-2") is None
    status, _ = await shop.webhook(b'{"id": "' + b"x" * 70_000 + b'"}')
    assert status == 413


async def test_what_comes_again_is_kept_once_and_an_unknown_type_is_ignored(shop: Shop):
    body = told("evt_3", "w-3")
    assert await shop.webhook(body) == (200, {"outcome": "kept"})
    assert (await shop.webhook(body))[0] == 200
    assert len(await shop.told_statuses("w-3")) == 1
    assert await shop.webhook({**body, "type": "request.declined"}) == (200, {"outcome": "repeated"})
    await shop.is_told("w-3", "mismatched")
    assert await shop.webhook({"id": "evt_4", "type": "account.closed"}) == (200, {"outcome": "ignored"})
    assert await shop.told_statuses("evt_4") == ["ignored"]
    assert await shop.metric(shop.webhooks, 'eventfold_signature_webhooks_total{outcome="ignored"}') == 1.0


async def test_nothing_is_acknowledged_before_it_is_kept(shop: Shop):
    await shop.commands.kill()
    body = told("evt_5", "w-5")
    status, problem = await shop.webhook(body)
    assert (status, problem["type"]) == (503, "urn:eventfold:problem:unavailable")
    await shop.commands.start()

    async def taken() -> bool:
        return (await shop.webhook(body))[0] == 200

    await until(taken, "it is taken", 90)
    assert await shop.told_statuses("w-5") != []


async def test_only_what_has_a_secret_is_taken(shop: Shop, tmp_path: Path):
    async with shop.http.post(f"{shop.webhooks.url}/payment-webhooks", data=b"{}") as response:
        assert response.status == 404
    started = service("payment_webhooks", tmp_path, domain=SERVICES, signature_provider="sandbox")
    await started.start()
    assert started._process is not None
    assert await started._process.wait() == 2
    assert "EVENTFOLD_SIGNATURE_WEBHOOK_SECRET is not set" in started.log.read_text()
