"""`eventfold payments reconcile` over real processes, and every kind of difference by itself."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.payments.payment import Payment, Status
from infrastructure.outside.payments import Charge, Refund
from ops.payments.comparison import Money, compare, money
from tests.payments.shop import KEY, Shop, put
from tests.support.services import ROOT, node_uri

pytestmark = pytest.mark.asyncio(loop_scope="package")


def payment(status: Status, charge_id: str = "ch_1") -> dict[str, Payment]:
    known = "" if status in (Status.REQUESTED, Status.VOIDED, Status.DECLINED) else charge_id
    return {"o-1": Payment("o-1", "ada", "USD", 1900, status, known)}


def charge(status: Any = "succeeded", **values: Any) -> Charge:
    given = {"charge_id": "ch_1", "reference": "o-1", "amount": 1900, "currency": "USD", **values}
    return Charge(status=status, **given)


PENDING_REFUND = (Refund("re_1", "ch_1", 1900, "pending"),)
CASES: list[tuple[Status | None, list[Charge], list[tuple[str, str | None]]]] = [
    (None, [charge()], [("unknown-charge", None)]),
    (None, [charge("declined")], []),
    (None, [charge("pending")], []),
    (None, [charge(refunded=1900)], []),
    (Status.REQUESTED, [], []),
    (Status.REQUESTED, [charge()], [("charge-missed", "record-charge")]),
    (Status.SETTLING, [charge()], [("charge-missed", "record-charge")]),
    (Status.VOIDED, [charge()], [("charge-missed", "record-charge")]),
    (Status.SETTLING, [charge("pending")], []),
    (Status.SETTLING, [charge("declined")], [("decline-missed", "record-decline")]),
    (Status.SETTLING, [], [("charge-missing", None)]),
    (Status.VOIDED, [charge("declined")], []),
    (Status.DECLINED, [charge("declined")], []),
    (Status.DECLINED, [charge()], [("charged-though-declined", None)]),
    (Status.CHARGED, [charge()], []),
    (Status.CHARGED, [], [("charge-missing", None)]),
    (Status.CHARGED, [charge("declined")], [("charge-declined", None)]),
    (Status.CHARGED, [charge("pending")], [("charge-pending", None)]),
    (Status.CHARGED, [charge(amount=1901)], [("amount-differs", None)]),
    (Status.CHARGED, [charge(currency="EUR")], [("amount-differs", None)]),
    (Status.REQUESTED, [charge(amount=1)], [("amount-differs", None)]),
    (Status.CHARGED, [charge(refunded=5)], [("refund-not-asked-for", None)]),
    (Status.CHARGED, [charge(), charge(charge_id="ch_2")], [("charged-twice", None)]),
    (Status.CHARGED, [charge(), charge(charge_id="ch_2", refunded=1900)], []),
    (Status.REFUNDING, [charge()], [("refund-outstanding", None)]),
    (Status.REFUNDING, [charge(refunds=PENDING_REFUND)], []),
    (Status.REFUNDING, [charge(refunded=1900)], [("refund-missed", "record-refund")]),
    (Status.REFUNDING, [charge(refunded=900)], [("refund-in-part", None)]),
    (Status.REFUND_FAILED, [charge()], []),
    (Status.REFUND_FAILED, [charge(refunded=1900)], [("refund-missed", "record-refund")]),
    (Status.REFUNDED, [charge(refunded=1900)], []),
    (Status.REFUNDED, [charge()], [("refund-missing", None)]),
    (Status.REFUNDED, [], [("charge-missing", None)]),
]


@pytest.mark.parametrize(("status", "charges", "found"), CASES)
async def test_each_kind_of_difference(
    status: Status | None, charges: list[Charge], found: list[tuple[str, str | None]]
) -> None:
    payments = {} if status is None else payment(status)
    assert [(one.kind, one.mend) for one in compare(payments, charges)] == found


async def test_the_money_of_both_sides():
    payments = [*payment(Status.CHARGED).values(), *payment(Status.REFUNDED).values()]
    charges = [charge(), charge(refunded=1900), charge(currency="EUR", refunded=900), charge("declined")]
    assert money(payments, charges) == {"EUR": Money(0, 1000), "USD": Money(1900, 1900)}


async def reconcile(shop: Shop, folder: Path, *options: str) -> tuple[int, str]:
    """The exit status and what is printed."""
    environ = {
        "EVENTFOLD_EVENTSTORE_URI": node_uri(shop.node.port),
        "EVENTFOLD_PAYMENTS_URL": shop.provider.url,
        "EVENTFOLD_PAYMENTS_KEY": KEY,
        "EVENTFOLD_PAYMENTS_RETRIES": "1",
    }
    arguments = ["payments", "reconcile", "--data-dir", str(folder), "--command-api", shop.commands.url, *options]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_charge_that_was_missed_is_found_and_recorded(shop: Shop, tmp_path: Path):
    await put(shop.provider, "faults", webhook_lost_share=1)
    await shop.ask_for("missed-1", customer="settles-later")
    await shop.ask_for("missed-2", customer="declined-later")
    await shop.is_at("missed-1", Status.SETTLING)
    await shop.is_at("missed-2", Status.SETTLING)

    async def settled() -> dict[str, str]:
        charges = await shop.charges()
        return {one["reference"]: one["status"] for one in charges if one["reference"].startswith("missed")}

    while await settled() != {"missed-1": "succeeded", "missed-2": "declined"}:
        await asyncio.sleep(0.02)
    # A charge that nobody asked for, made past us.
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "by-hand"}
    by_hand = {"amount": 5, "currency": "USD", "reference": "nobody", "customer": "ada"}
    async with shop.http.post(f"{shop.provider.url}/v1/charges", json=by_hand, headers=headers) as response:
        assert response.status == 201
    status, printed = await reconcile(shop, tmp_path, "--json", "--wait", "0")
    told = msgspec.json.decode(printed)
    found = {one["reference"]: (one["kind"], one["mend"]) for one in told["differences"]}
    expected = {
        "missed-1": ("charge-missed", "record-charge"),
        "missed-2": ("decline-missed", "record-decline"),
        "nobody": ("unknown-charge", None),
    }
    assert (status, {name: found.get(name) for name in expected}) == (1, expected)
    status, printed = await reconcile(shop, tmp_path, "--apply", "--wait", "0")
    assert status == 1, "one is for people"
    assert "2 mended" in printed
    assert "unknown-charge" in printed
    assert (await shop.payment("missed-1")).status is Status.CHARGED  # type: ignore[union-attr]
    assert (await shop.payment("missed-2")).status is Status.DECLINED  # type: ignore[union-attr]


async def test_a_provider_that_is_away_or_refuses_is_named(shop: Shop, tmp_path: Path):
    await put(shop.provider, "faults", errors=["503"], retry_after=0)
    status, printed = await reconcile(shop, tmp_path)
    assert status == 1
    assert "payments: GET /v1/charges: 503" in printed
    await put(shop.provider, "faults", errors=["302"])
    status, printed = await reconcile(shop, tmp_path)
    assert (status, "which is not followed" in printed) == (1, True), printed
